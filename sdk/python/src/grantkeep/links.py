"""Links to the connect page."""

from __future__ import annotations

from typing import Optional, Union
from urllib.parse import quote, urlencode

from .models import ConnectToken


def connect_link(
    token: Union[ConnectToken, str],
    *,
    app: Optional[str] = None,
    oauth_app_id: Optional[str] = None,
    app_override_id: Optional[str] = None,
    account_id: Optional[str] = None,
    oauth_scope_profile: Optional[str] = None,
    custom_oauth_client: bool = False,
) -> str:
    """The address to send the user's browser to. It holds the token: keep it out of logs.

    ``token`` is what ``tokens.create`` gave, or its ``connect_link_url``. Without an ``app`` the
    user chooses one. ``account_id`` reconnects that account.
    ``custom_oauth_client`` has the user enter an OAuth client of his own, where the app takes one.
    """
    address = token if isinstance(token, str) else token.connect_link_url
    wishes = {
        "app": app,
        "oauthAppId": oauth_app_id,
        "appOverrideId": app_override_id,
        "accountId": account_id,
        "oauthScopeProfile": oauth_scope_profile,
        "customOauthClient": "true" if custom_oauth_client else None,
    }
    given = {name: it for name, it in wishes.items() if it is not None}
    if not given:
        return address
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(given, quote_via=quote, safe='')}"
