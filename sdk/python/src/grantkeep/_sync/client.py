# Written by generate.py from _async: edit there.
"""The client."""

from __future__ import annotations

from typing import Optional

import httpx

from ..calls import (
    RETRIES,
    TIMEOUT_S,
    CallOptions,
    Settings,
    clean_base,
    clean_environment,
)
from ..credentials import KeyPair, source_of
from ..errors import APIError, ConfirmError, InvalidOptionError
from ..models import ConfirmedAccount
from ..transport import Transport
from .proxy import Proxy
from .resources import Resources
from .stash import FileStash


class Grantkeep(Resources):
    """Connects your users' accounts, and acts with them.

    It proves itself by ``client_id`` and ``client_secret``, by ``client_id`` and ``key_pair``, or
    by a credential that is sent as it is: ``api_key`` (an access or a connect token does too).

    Args:
        base_url: The address of the server: ``https://connect.example.com``.
        project_id: Needed for most calls; an API key may know it by itself.
        environment: ``production`` or ``development``. They never mix.
        scope: What the access token may do, separated by spaces; all that the client may, if
            absent.
        rate_limit: The token of a limit of your own that all calls count to.
        timeout_s: Seconds that connecting, and each silence of the server, may last.
        retries: Further attempts after the first, where another one does no harm.
        http: Used in the place of a new HTTP client; you close it yourself.
    """

    proxy: Proxy
    file_stash: FileStash

    def __init__(
        self,
        base_url: str,
        *,
        project_id: Optional[str] = None,
        environment: str = "production",
        client_id: Optional[str] = None,
        client_secret: Optional[str] = None,
        key_pair: Optional[KeyPair] = None,
        api_key: Optional[str] = None,
        scope: Optional[str] = None,
        rate_limit: Optional[str] = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = RETRIES,
        http: Optional[httpx.Client] = None,
    ) -> None:
        base = clean_base(base_url)
        source = source_of(base, client_id, client_secret or key_pair, api_key, scope)
        settings = Settings(
            base_url=base,
            environment=clean_environment(environment),
            project_id=project_id,
            project_implied=api_key is not None,
            renewable=source.renewable,
            rate_limit=rate_limit,
            timeout_s=timeout_s,
            retries=retries,
        )
        if client_secret is not None and key_pair is not None:
            raise InvalidOptionError("Give client_secret or key_pair, not both")
        self._transport = Transport(settings, source, http)
        super().__init__(self._transport)
        self.proxy = Proxy(self._transport)
        self.file_stash = FileStash(self._transport)

    def confirm_flow(
        self, flow_id: str, external_user_id: str, *, options: Optional[CallOptions] = None
    ) -> ConfirmedAccount:
        """Says who came back from the app to your verify URL, as soon as the browser arrives.

        ``external_user_id`` comes from your own session, never from the address. Call it once.

        Raises:
            ConfirmError: The account is not connected, and why.
        """
        try:
            return self.flows.confirm(
                flow_id, external_user_id=external_user_id, options=options
            )
        except APIError as error:
            if error.status in (404, 409, 410) or isinstance(error.details.get("reason"), str):
                raise ConfirmError(error) from error
            raise

    def close(self) -> None:
        """Gives the connections back."""
        self._transport.close()

    def __enter__(self) -> Grantkeep:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        settings = self._transport.settings
        return f"{type(self).__name__}({settings.base_url!r}, project_id={settings.project_id!r})"
