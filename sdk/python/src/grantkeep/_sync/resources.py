"""The calls of each resource. Written by generate.py: edit that, or table.py."""

from __future__ import annotations

from typing import Any, List, Literal, Mapping, Optional, Sequence, Union

from ..calls import UNSET, Call, CallOptions, Unset, as_json, path
from ..model import many, maybe, nothing, within
from ..models import (
    Account,
    AccountHealth,
    App,
    AppCategory,
    AppOverride,
    Component,
    ComponentFile,
    ComponentRun,
    ComponentView,
    ConfiguredField,
    ConfirmedAccount,
    ConnectToken,
    CustomApp,
    DeployedTrigger,
    DeployedWorkflow,
    Discovery,
    Erasure,
    FreezeState,
    OAuthApp,
    Project,
    ProjectInfo,
    ProjectUsage,
    RateLimit,
    ReloadedFields,
    Replay,
    Revocation,
    RunResult,
    TokenValidation,
    TriggerEvent,
    TriggerWebhook,
    TriggerWebhooks,
    TriggerWorkflows,
    UsageSpan,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookTest,
    WebhookTopic,
    WholeWorkflowRun,
    Workflow,
    WorkflowFile,
    WorkflowRun,
)
from ..transport import Transport
from .listing import Listing


class Apps:
    """Apps that accounts can be connected to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        q: Optional[str] = None,
        sort_key: Optional[Literal["name", "name_slug", "featured_weight"]] = None,
        sort_direction: Optional[Literal["asc", "desc"]] = None,
        category_ids: Optional[Sequence[str]] = None,
        auth_type: Optional[str] = None,
        evidence: Optional[str] = None,
        confirmed_min: Optional[int] = None,
        include_unconnectable: Optional[bool] = None,
        has_components: Optional[bool] = None,
        has_actions: Optional[bool] = None,
        has_triggers: Optional[bool] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[App]:
        """Lists apps, the most used first. Callers of a project see its own apps among them.

        ``q`` searches names, slugs and former names, and forgives typing errors. ``sort_key`` is
        ``name``, ``name_slug`` or ``featured_weight``; ``category_ids`` may be repeated.
        ``auth_type`` is ``oauth``, ``keys`` or ``none``; ``evidence`` is how well an app is known:
        ``confirmed``, ``single_source`` or ``incomplete``; ``confirmed_min`` is how many sources
        must say the same. Apps of which too little is known to connect them are listed with
        ``include_unconnectable`` only. With ``has_actions``, ``has_triggers`` or ``has_components``
        (either) only apps are listed of which there is such a component, shipped or of the
        project's own.

        Args:
            sort_key: ``featured_weight`` when absent, unless ``q`` is given
            sort_direction: ``desc`` for ``featured_weight`` when absent, else ``asc``
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/apps")
        call = Call(
            "GET",
            at,
            query={
                "q": q,
                "sort_key": sort_key,
                "sort_direction": sort_direction,
                "category_ids": category_ids,
                "auth_type": auth_type,
                "evidence": evidence,
                "confirmed_min": confirmed_min,
                "include_unconnectable": include_unconnectable,
                "has_components": has_components,
                "has_actions": has_actions,
                "has_triggers": has_triggers,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, App, options)

    def retrieve(
        self,
        app: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> App:
        """One app, by slug or id. Callers of a project find its own apps too."""
        at = path(self._transport.settings, "/v1/connect/apps/{app}", app)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", App), options)


class AppCategories:
    """Categories of apps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> List[AppCategory]:
        """Lists all categories."""
        at = path(self._transport.settings, "/v1/connect/app_categories")
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, many(AppCategory), options)

    def retrieve(
        self,
        category_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> AppCategory:
        """Gives a category."""
        at = path(self._transport.settings, "/v1/connect/app_categories/{category_id}", category_id)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, AppCategory, options)


class Tokens:
    """Connect tokens: each for one user and one account."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        external_user_id: str,
        allow_progressive_scopes: Union[Optional[bool], Unset] = UNSET,
        allowed_apps: Union[Optional[Sequence[str]], Unset] = UNSET,
        allowed_origins: Union[Optional[Sequence[str]], Unset] = UNSET,
        app_id: Union[Optional[str], Unset] = UNSET,
        error_redirect_uri: Union[Optional[str], Unset] = UNSET,
        expires_in: Union[Optional[int], Unset] = UNSET,
        external_user_name: Union[Optional[str], Unset] = UNSET,
        oauth_app_id: Union[Optional[str], Unset] = UNSET,
        scope: Union[Optional[str], Unset] = UNSET,
        success_redirect_uri: Union[Optional[str], Unset] = UNSET,
        webhook_uri: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ConnectToken:
        """Makes a connect token for one of your users.

        Args:
            external_user_id: Your own id of the user, 1 to 250 characters.
            allow_progressive_scopes: Whether the user chooses on the page how much of it he allows,
                as with the project's ``scope_choice``. False when absent.
            allowed_apps: The only apps that the token connects, by slug or id, 1 to 100. A connect
                page without an app lists these alone.
            allowed_origins: Web origins that may use the token and frame the connect page.
            app_id: App slug or id that the token is for.
            expires_in: Life in seconds, 1 to 14400.
            external_user_name: The user's name, 1 to 120 visible characters: links that nothing
                proves show it to whoever opens them.
            oauth_app_id: OAuth client that the token is for.
            scope: Space-separated; ``connect:*`` when absent.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/tokens")
        call = Call(
            "POST",
            at,
            body={
                "allow_progressive_scopes": allow_progressive_scopes,
                "allowed_apps": allowed_apps,
                "allowed_origins": allowed_origins,
                "app_id": app_id,
                "error_redirect_uri": error_redirect_uri,
                "expires_in": expires_in,
                "external_user_id": external_user_id,
                "external_user_name": external_user_name,
                "oauth_app_id": oauth_app_id,
                "scope": scope,
                "success_redirect_uri": success_redirect_uri,
                "webhook_uri": webhook_uri,
            },
        )
        return self._transport.send(call, ConnectToken, options)

    def validate(
        self,
        token: str,
        *,
        app_id: Union[str, Unset] = UNSET,
        account_id: Union[str, Unset] = UNSET,
        oauth_app_id: Union[str, Unset] = UNSET,
        app_override_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> TokenValidation:
        """Tells what a connect token is good for, and uses nothing up. A bad token is told by
        ``success: false``.
        """
        at = path(self._transport.settings, "/v1/connect/tokens/{token}/validate", token)
        call = Call(
            "GET",
            at,
            query={
                "app_id": app_id,
                "account_id": account_id,
                "oauth_app_id": oauth_app_id,
                "app_override_id": app_override_id,
            },
            anonymous=True,
        )
        return self._transport.send(call, TokenValidation, options)


class Flows:
    """Connections that wait for your backend's word."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def confirm(
        self,
        flow_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> ConfirmedAccount:
        """Says who came back from the app to your verify URL. The account is connected only if it
        is the user whom the connect token was made for. Each flow can be confirmed once, within
        five minutes.

        Args:
            external_user_id: Your own id of the user who is signed in to your product in that
                browser.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/flows/{flow_id}/confirm",
            flow_id,
        )
        call = Call(
            "POST",
            at,
            body={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, ConfirmedAccount, options)


class Users:
    """Your users, as far as they are known here."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        q: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[User]:
        """Lists the external users of one environment, newest first. ``q`` is a part of the
        external id.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/users")
        call = Call(
            "GET",
            at,
            query={
                "q": q,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, User, options)

    def delete(
        self,
        external_user_id: str,
        *,
        revoke: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> Optional[Erasure]:
        """Erases a user: all his accounts, his triggers, his connect tokens, and the key that
        sealed what is stored of him. Before that the ``deactivate`` hooks of his triggers run, for
        10 seconds at most. His grants are revoked in the background. A user with more than 500
        accounts is gone at once for every caller, and what is stored of him within the hour: the
        answer is 202, and names an erasure that tells how far it is.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/users/{external_user_id}",
            external_user_id,
        )
        call = Call(
            "DELETE",
            at,
            query={
                "revoke": revoke,
            },
        )
        return self._transport.send(call, maybe(Erasure), options)

    def erasure(
        self,
        erasure_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> Erasure:
        """Says how far the erasure of a user with many accounts is."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/erasures/{erasure_id}",
            erasure_id,
        )
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, Erasure, options)


class Accounts:
    """Users' connections to apps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        app: Union[str, Unset] = UNSET,
        oauth_app_id: Union[str, Unset] = UNSET,
        include_credentials: Optional[bool] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Account]:
        """Lists accounts, newest first.

        Args:
            external_user_id: Your own id of a user
            app: Slug or id of an app
            include_credentials: Needs the scope ``credentials:read``; never for browsers
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/accounts")
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
                "app": app,
                "oauth_app_id": oauth_app_id,
                "include_credentials": include_credentials,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Account, options)

    def create(
        self,
        *,
        app_slug: str,
        fields: Mapping[str, Any],
        connect_token: str,
        external_user_id: Union[str, Unset] = UNSET,
        account_id: Union[Optional[str], Unset] = UNSET,
        app_override_id: Union[Optional[str], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Account:
        """Connects an app that takes keys, and uses the connect token up. Apps with OAuth are
        connected on the connect page.

        Args:
            app_slug: Slug or id.
            fields: The app's fields by their names.
            connect_token: With it the call is made, and it is used up.
            account_id: An account of the same user and app, to be reconnected in place.
            app_override_id: Its values stand in for fields of ``cfmap_json``.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/accounts")
        call = Call(
            "POST",
            at,
            query={
                "external_user_id": external_user_id,
            },
            body={
                "account_id": account_id,
                "app_override_id": app_override_id,
                "app_slug": app_slug,
                "cfmap_json": as_json(fields),
                "connect_token": connect_token,
                "name": name,
            },
            bearer=connect_token,
        )
        return self._transport.send(call, Account, options)

    def retrieve(
        self,
        account_id: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        include_credentials: Optional[bool] = None,
        min_ttl: Optional[int] = None,
        options: Optional[CallOptions] = None,
    ) -> Account:
        """Gives one account.

        Args:
            include_credentials: Needs the scope ``credentials:read``; never for browsers
            min_ttl: Seconds that the access token must still last, at most 86400
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}",
            account_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
                "include_credentials": include_credentials,
                "min_ttl": min_ttl,
            },
        )
        return self._transport.send(call, Account, options)

    def update(
        self,
        account_id: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        keep_alive: Union[Optional[bool], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> AccountHealth:
        """Changes how an account is looked after.

        Args:
            keep_alive: Whether it is refreshed before the app would end the grant for being idle.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}",
            account_id,
        )
        call = Call(
            "PATCH",
            at,
            query={
                "external_user_id": external_user_id,
            },
            body={
                "keep_alive": keep_alive,
            },
        )
        return self._transport.send(call, AccountHealth, options)

    def delete(
        self,
        account_id: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        revoke: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes an account. Its grant is revoked at the provider, as far as the app has a way:
        the header ``x-grantkeep-revocation`` says ``revoked``, ``unsupported``, ``failed`` or
        ``pending``.

        Args:
            revoke: ``false`` keeps the grant at the provider
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}",
            account_id,
        )
        call = Call(
            "DELETE",
            at,
            query={
                "external_user_id": external_user_id,
                "revoke": revoke,
            },
        )
        return self._transport.send(call, nothing, options)

    def health(
        self,
        account_id: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> AccountHealth:
        """Tells how an account is: what is wrong with it, what was tried, what comes next, and when
        it will end as far as the app's rules are known.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}/health",
            account_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, AccountHealth, options)

    def refresh(
        self,
        account_id: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Account:
        """Refreshes an account's access token now, however long it would last."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}/refresh",
            account_id,
        )
        call = Call(
            "POST",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, Account, options)

    def revocation(
        self,
        account_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> Revocation:
        """Says what became of the grant of a deleted account."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/accounts/{account_id}/revocation",
            account_id,
        )
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, Revocation, options)

    def delete_by_app(
        self,
        app: str,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        revoke: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes all accounts of an app. Their grants are revoked in the background."""
        at = path(self._transport.settings, "/v1/connect/{project?}/apps/{app}/accounts", app)
        call = Call(
            "DELETE",
            at,
            query={
                "external_user_id": external_user_id,
                "revoke": revoke,
            },
        )
        return self._transport.send(call, nothing, options)

    def list_by_external_user(
        self,
        external_user_id: str,
        *,
        app: Union[str, Unset] = UNSET,
        include_credentials: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> List[Account]:
        """Lists all accounts of a user at once."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/users/{external_user_id}/accounts",
            external_user_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "app": app,
                "include_credentials": include_credentials,
            },
        )
        return self._transport.send(call, many(Account), options)


class OAuthApps:
    """The project's own clients at apps."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        q: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[OAuthApp]:
        """Lists the project's clients at apps.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/oauth_apps")
        call = Call(
            "GET",
            at,
            query={
                "app": app,
                "q": q,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, OAuthApp, options)

    def create(
        self,
        *,
        additional_scopes: Union[Optional[Sequence[str]], Unset] = UNSET,
        app: Union[Optional[str], Unset] = UNSET,
        client_certificate: Union[Optional[str], Unset] = UNSET,
        client_id: Union[Optional[str], Unset] = UNSET,
        client_secret: Union[Optional[str], Unset] = UNSET,
        description: Union[Optional[str], Unset] = UNSET,
        generate_key: Union[Optional[bool], Unset] = UNSET,
        key_id: Union[Optional[str], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        private_key: Union[Optional[str], Unset] = UNSET,
        scopes: Union[Optional[Sequence[str]], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> OAuthApp:
        """Enters a client. Id and secret may follow by ``update``, since the redirect URI to
        register is known only when the client has its own id.

        Args:
            app: Slug or id; only when a client is made.
            client_certificate: PEM with its chain, the client's own first; the private key must be
                its own. Null takes it away.
            client_secret: Written and never shown. Blank keeps the stored one.
            generate_key: Has a P-256 key made here, in the place of one that is there. Register
                ``public_jwk`` or ``jwks_uri`` of the answer at the app.
            key_id: The name under which the app knows the key; the key's thumbprint when absent.
            private_key: PEM (PKCS#8, PKCS#1, SEC 1) or JWK, for apps whose clients prove themselves
                with a key. Written and never shown. Blank keeps the stored one.
            scopes: Scopes to ask for; the app's own when absent.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/oauth_apps")
        call = Call(
            "POST",
            at,
            body={
                "additional_scopes": additional_scopes,
                "app": app,
                "client_certificate": client_certificate,
                "client_id": client_id,
                "client_secret": client_secret,
                "description": description,
                "generate_key": generate_key,
                "key_id": key_id,
                "name": name,
                "private_key": private_key,
                "scopes": scopes,
            },
        )
        return self._transport.send(call, OAuthApp, options)

    def retrieve(
        self,
        oauth_app_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> OAuthApp:
        """Gives a client at an app."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/oauth_apps/{oauth_app_id}",
            oauth_app_id,
        )
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, OAuthApp, options)

    def update(
        self,
        oauth_app_id: str,
        *,
        additional_scopes: Union[Optional[Sequence[str]], Unset] = UNSET,
        app: Union[Optional[str], Unset] = UNSET,
        client_certificate: Union[Optional[str], Unset] = UNSET,
        client_id: Union[Optional[str], Unset] = UNSET,
        client_secret: Union[Optional[str], Unset] = UNSET,
        description: Union[Optional[str], Unset] = UNSET,
        generate_key: Union[Optional[bool], Unset] = UNSET,
        key_id: Union[Optional[str], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        private_key: Union[Optional[str], Unset] = UNSET,
        scopes: Union[Optional[Sequence[str]], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> OAuthApp:
        """Changes a client at an app. What is left out stays.

        Args:
            app: Slug or id; only when a client is made.
            client_certificate: PEM with its chain, the client's own first; the private key must be
                its own. Null takes it away.
            client_secret: Written and never shown. Blank keeps the stored one.
            generate_key: Has a P-256 key made here, in the place of one that is there. Register
                ``public_jwk`` or ``jwks_uri`` of the answer at the app.
            key_id: The name under which the app knows the key; the key's thumbprint when absent.
            private_key: PEM (PKCS#8, PKCS#1, SEC 1) or JWK, for apps whose clients prove themselves
                with a key. Written and never shown. Blank keeps the stored one.
            scopes: Scopes to ask for; the app's own when absent.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/oauth_apps/{oauth_app_id}",
            oauth_app_id,
        )
        call = Call(
            "PUT",
            at,
            body={
                "additional_scopes": additional_scopes,
                "app": app,
                "client_certificate": client_certificate,
                "client_id": client_id,
                "client_secret": client_secret,
                "description": description,
                "generate_key": generate_key,
                "key_id": key_id,
                "name": name,
                "private_key": private_key,
                "scopes": scopes,
            },
        )
        return self._transport.send(call, OAuthApp, options)

    def delete(
        self,
        oauth_app_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes a client at an app."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/oauth_apps/{oauth_app_id}",
            oauth_app_id,
        )
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)


class AppOverrides:
    """Values that users are not asked for."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[AppOverride]:
        """Lists the project's overrides.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/app_overrides")
        call = Call(
            "GET",
            at,
            query={
                "app": app,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, AppOverride, options)

    def create(
        self,
        *,
        app: str,
        name: str,
        cfmap: Union[Optional[Mapping[str, Any]], Unset] = UNSET,
        oauth_app_id: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> AppOverride:
        """Sets values of an app's fields, and perhaps a client, for users who connect with the
        override.

        Args:
            app: Slug or id.
            name: 1 to 120 visible characters, unique in the project.
            cfmap: Field name to value. Secret fields are refused.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/app_overrides")
        call = Call(
            "POST",
            at,
            body={
                "app": app,
                "cfmap": cfmap,
                "name": name,
                "oauth_app_id": oauth_app_id,
            },
        )
        return self._transport.send(call, AppOverride, options)

    def retrieve(
        self,
        app_override_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> AppOverride:
        """Gives an override."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/app_overrides/{app_override_id}",
            app_override_id,
        )
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, AppOverride, options)

    def update(
        self,
        app_override_id: str,
        *,
        cfmap: Union[Optional[Mapping[str, Any]], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        oauth_app_id: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> AppOverride:
        """Changes an override. What is left out stays.

        Args:
            cfmap: All values anew.
            oauth_app_id: Null detaches it.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/app_overrides/{app_override_id}",
            app_override_id,
        )
        call = Call(
            "PUT",
            at,
            body={
                "cfmap": cfmap,
                "name": name,
                "oauth_app_id": oauth_app_id,
            },
        )
        return self._transport.send(call, AppOverride, options)

    def delete(
        self,
        app_override_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes an override. Accounts that were connected with it stay connected."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/app_overrides/{app_override_id}",
            app_override_id,
        )
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)


class CustomApps:
    """Apps that the project describes for itself."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[CustomApp]:
        """Lists the project's own apps, newest first.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps")
        call = Call(
            "GET",
            at,
            query={
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, CustomApp, options)

    def create(
        self,
        *,
        definition: str,
        options: Optional[CallOptions] = None,
    ) -> CustomApp:
        """Takes an app in, described by the same file as those of the catalogue. A file with errors
        is refused with all of them.

        Args:
            definition: An app file (TOML), at most 64 KiB.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps")
        call = Call(
            "POST",
            at,
            body={
                "definition": definition,
            },
        )
        return self._transport.send(call, CustomApp, options)

    def retrieve(
        self,
        slug: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> CustomApp:
        """Gives an app of the project's own, with its file."""
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps/{slug}", slug)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, CustomApp, options)

    def replace(
        self,
        slug: str,
        *,
        definition: str,
        confirm_endpoint_change: Union[Optional[bool], Unset] = UNSET,
        version: Union[Optional[int], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> CustomApp:
        """Replaces a definition. The slug stays.

        Args:
            definition: An app file (TOML) with the same slug, at most 64 KiB.
            confirm_endpoint_change: Credentials that are there may go to the new addresses. Without
                it, a definition that moves an app in use to other addresses is refused.
            version: The version that you read; when it is not the newest, nothing is written.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps/{slug}", slug)
        call = Call(
            "PUT",
            at,
            body={
                "confirm_endpoint_change": confirm_endpoint_change,
                "definition": definition,
                "version": version,
            },
            once=bool(version),
        )
        return self._transport.send(call, CustomApp, options)

    def delete(
        self,
        slug: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes an app that nothing uses."""
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps/{slug}", slug)
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)

    def discover(
        self,
        *,
        url: str,
        confirm_endpoint_change: Union[Optional[bool], Unset] = UNSET,
        issuer: Union[Optional[str], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        registration_token: Union[Optional[str], Unset] = UNSET,
        resource: Union[Optional[str], Unset] = UNSET,
        slug: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Discovery:
        """Makes an app of what a server says of itself: OIDC Discovery, RFC 8414, RFC 9728. The
        client registers itself (RFC 7591) or is known by a document, where the server takes that.

        Args:
            url: An issuer of ``OpenID`` Connect or OAuth, a resource, or an MCP server.
            confirm_endpoint_change: Credentials that are there may go to the addresses that the
                server names now.
            issuer: Which of the authorization servers that a resource names; the first when absent.
            registration_token: For servers that register only who has one. Used once, and not kept.
            resource: What tokens are for (RFC 8707), where that is not the URL.
            slug: Made from the host when absent. That of an app that was discovered before: read it
                again.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/custom_apps/discover")
        call = Call(
            "POST",
            at,
            body={
                "confirm_endpoint_change": confirm_endpoint_change,
                "issuer": issuer,
                "name": name,
                "registration_token": registration_token,
                "resource": resource,
                "slug": slug,
                "url": url,
            },
        )
        return self._transport.send(call, Discovery, options)


class Projects:
    """Projects: one for each product of yours."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        q: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Project]:
        """Lists the projects that the caller reaches, newest first.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/projects")
        call = Call(
            "GET",
            at,
            query={
                "q": q,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Project, options)

    def create(
        self,
        *,
        app_name: Union[Optional[str], Unset] = UNSET,
        blind_tokens: Union[Optional[bool], Unset] = UNSET,
        callback_origin: Union[Optional[str], Unset] = UNSET,
        code_hosts: Union[Optional[Sequence[str]], Unset] = UNSET,
        component_packages: Union[Optional[Sequence[str]], Unset] = UNSET,
        connect_require_key_auth_test: Union[Optional[bool], Unset] = UNSET,
        development_users_max: Union[Optional[int], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        scope_choice: Union[Optional[bool], Unset] = UNSET,
        support_email: Union[Optional[str], Unset] = UNSET,
        verify_url: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Project:
        """Makes a project. A caller that is bound to one project cannot.

        Args:
            app_name: The product's name as its users know it. Null takes it away.
            blind_tokens: Whether components' code sees placeholders in the place of credentials:
                only on the way to the app itself they become what they stand for. True for new
                projects.
            callback_origin: The origin of its clients' redirect URIs: one of those that the
                operator permits. All of them change with it, so register the new ones at the apps
                first. Null: the server's own.
            code_hosts: The only hosts that your code may call here, beside those of the apps whose
                accounts it gets: ``api.example.com``, or ``*.example.com`` for all below it. Empty: no
                others. Null: all that are public.
            component_packages: Names of packages that mean ``@grantkeep/runtime`` in components'
                code.
            connect_require_key_auth_test: Whether keys that users enter are tried out before they
                are stored.
            development_users_max: External users that the environment ``development`` takes: a call
                that would make one more is refused, and those that are there stay. Null: any number.
            name: 1 to 120 visible characters; needed when a project is made.
            scope_choice: Whether users choose on the connect page how much they allow, where the
                app knows several measures.
            verify_url: Where browsers are sent to be confirmed by your backend: https, exact. Null
                takes it away.
        """
        at = path(self._transport.settings, "/v1/connect/projects")
        call = Call(
            "POST",
            at,
            body={
                "app_name": app_name,
                "blind_tokens": blind_tokens,
                "callback_origin": callback_origin,
                "code_hosts": code_hosts,
                "component_packages": component_packages,
                "connect_require_key_auth_test": connect_require_key_auth_test,
                "development_users_max": development_users_max,
                "name": name,
                "scope_choice": scope_choice,
                "support_email": support_email,
                "verify_url": verify_url,
            },
        )
        return self._transport.send(call, Project, options)

    def retrieve(
        self,
        project_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> Project:
        """Gives a project."""
        at = path(self._transport.settings, "/v1/connect/projects/{project_id}", project_id)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, Project, options)

    def update(
        self,
        project_id: str,
        *,
        app_name: Union[Optional[str], Unset] = UNSET,
        blind_tokens: Union[Optional[bool], Unset] = UNSET,
        callback_origin: Union[Optional[str], Unset] = UNSET,
        code_hosts: Union[Optional[Sequence[str]], Unset] = UNSET,
        component_packages: Union[Optional[Sequence[str]], Unset] = UNSET,
        connect_require_key_auth_test: Union[Optional[bool], Unset] = UNSET,
        development_users_max: Union[Optional[int], Unset] = UNSET,
        name: Union[Optional[str], Unset] = UNSET,
        scope_choice: Union[Optional[bool], Unset] = UNSET,
        support_email: Union[Optional[str], Unset] = UNSET,
        verify_url: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Project:
        """Changes a project. What is left out stays.

        Args:
            app_name: The product's name as its users know it. Null takes it away.
            blind_tokens: Whether components' code sees placeholders in the place of credentials:
                only on the way to the app itself they become what they stand for. True for new
                projects.
            callback_origin: The origin of its clients' redirect URIs: one of those that the
                operator permits. All of them change with it, so register the new ones at the apps
                first. Null: the server's own.
            code_hosts: The only hosts that your code may call here, beside those of the apps whose
                accounts it gets: ``api.example.com``, or ``*.example.com`` for all below it. Empty: no
                others. Null: all that are public.
            component_packages: Names of packages that mean ``@grantkeep/runtime`` in components'
                code.
            connect_require_key_auth_test: Whether keys that users enter are tried out before they
                are stored.
            development_users_max: External users that the environment ``development`` takes: a call
                that would make one more is refused, and those that are there stay. Null: any number.
            name: 1 to 120 visible characters; needed when a project is made.
            scope_choice: Whether users choose on the connect page how much they allow, where the
                app knows several measures.
            verify_url: Where browsers are sent to be confirmed by your backend: https, exact. Null
                takes it away.
        """
        at = path(self._transport.settings, "/v1/connect/projects/{project_id}", project_id)
        call = Call(
            "PATCH",
            at,
            body={
                "app_name": app_name,
                "blind_tokens": blind_tokens,
                "callback_origin": callback_origin,
                "code_hosts": code_hosts,
                "component_packages": component_packages,
                "connect_require_key_auth_test": connect_require_key_auth_test,
                "development_users_max": development_users_max,
                "name": name,
                "scope_choice": scope_choice,
                "support_email": support_email,
                "verify_url": verify_url,
            },
        )
        return self._transport.send(call, Project, options)

    def delete(
        self,
        project_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes a project. There is no way back."""
        at = path(self._transport.settings, "/v1/connect/projects/{project_id}", project_id)
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)

    def update_logo(
        self,
        project_id: str,
        *,
        logo: str,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Sets the picture that the connect page shows.

        Args:
            logo: A ``data:`` URL of a PNG, JPEG, GIF or WebP image of at most 256 KiB.
        """
        at = path(self._transport.settings, "/v1/connect/projects/{project_id}/logo", project_id)
        call = Call(
            "POST",
            at,
            body={
                "logo": logo,
            },
        )
        return self._transport.send(call, nothing, options)

    def retrieve_info(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> ProjectInfo:
        """Tells which apps the project has clients for."""
        at = path(self._transport.settings, "/v1/connect/{project?}/projects/info")
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, ProjectInfo, options)


class Freeze:
    """The switch for emergencies: no credentials are handed out."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def retrieve(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> FreezeState:
        """Says whether credentials of the project are held back, by its own freezes or by one of
        the whole server.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/freeze")
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, FreezeState, options)

    def begin(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> FreezeState:
        """Stops handing out the project's credentials, or one app's, within a second and in every
        process. They are refreshed as before. Needs the scope ``credentials:freeze``, which is in
        no star.

        Args:
            app: Slug or id of an app; all without it
        """
        at = path(self._transport.settings, "/v1/connect/{project}/freeze")
        call = Call(
            "PUT",
            at,
            query={
                "app": app,
            },
        )
        return self._transport.send(call, FreezeState, options)

    def end(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> FreezeState:
        """Lifts a freeze of the project, or of one app in it."""
        at = path(self._transport.settings, "/v1/connect/{project}/freeze")
        call = Call(
            "DELETE",
            at,
            query={
                "app": app,
            },
        )
        return self._transport.send(call, FreezeState, options)


class Webhooks:
    """Endpoints for news, and what became of it; ``verify_webhook`` checks what arrives."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> List[WebhookEndpoint]:
        """Lists the endpoints of project and environment, the oldest first."""
        at = path(self._transport.settings, "/v1/connect/{project}/webhooks")
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", many(WebhookEndpoint)), options)

    def create(
        self,
        *,
        topics: Union[Optional[Sequence[WebhookTopic]], Unset] = UNSET,
        url: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> WebhookEndpoint:
        """Makes an endpoint. Its signing secret is in this answer and in no other.

        Args:
            topics: What to post; null for all, which is what a new endpoint gets.
            url: https, port 443 or 8443, at most 2048 characters.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/webhooks")
        call = Call(
            "POST",
            at,
            body={
                "topics": topics,
                "url": url,
            },
        )
        return self._transport.send(call, WebhookEndpoint, options)

    def deliveries(
        self,
        *,
        endpoint: Union[str, Unset] = UNSET,
        state: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[WebhookDelivery]:
        """Lists what was to be posted, the newest first, with how it went. ``state`` is
        ``waiting``, ``delivered`` (kept for 7 days) or ``failed`` (kept for 30).

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/webhooks/deliveries")
        call = Call(
            "GET",
            at,
            query={
                "endpoint": endpoint,
                "state": state,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, WebhookDelivery, options)

    def replay(
        self,
        *,
        delivery_id: Union[Optional[str], Unset] = UNSET,
        endpoint_id: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> Replay:
        """Posts anew what was given up, with the ids and the bytes of before.

        Args:
            delivery_id: Only this one.
            endpoint_id: Only what failed at this endpoint.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/webhooks/replay")
        call = Call(
            "POST",
            at,
            body={
                "delivery_id": delivery_id,
                "endpoint_id": endpoint_id,
            },
        )
        return self._transport.send(call, Replay, options)

    def retrieve(
        self,
        webhook_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WebhookEndpoint:
        """Gives an endpoint."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}",
            webhook_id,
        )
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, WebhookEndpoint, options)

    def update(
        self,
        webhook_id: str,
        *,
        topics: Union[Optional[Sequence[WebhookTopic]], Unset] = UNSET,
        url: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> WebhookEndpoint:
        """Changes address or topics. What is waiting goes to the new address.

        Args:
            topics: What to post; null for all, which is what a new endpoint gets.
            url: https, port 443 or 8443, at most 2048 characters.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}",
            webhook_id,
        )
        call = Call(
            "PATCH",
            at,
            body={
                "topics": topics,
                "url": url,
            },
        )
        return self._transport.send(call, WebhookEndpoint, options)

    def delete(
        self,
        webhook_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Takes an endpoint away, with all that was still to be posted to it."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}",
            webhook_id,
        )
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)

    def reset(
        self,
        webhook_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WebhookEndpoint:
        """Starts afresh with an endpoint that was switched off or is being spared."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}/reset",
            webhook_id,
        )
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, WebhookEndpoint, options)

    def rotate(
        self,
        webhook_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WebhookEndpoint:
        """Gives an endpoint another signing secret. The one before signs beside it for a day."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}/rotate",
            webhook_id,
        )
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, WebhookEndpoint, options)

    def test(
        self,
        webhook_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WebhookTest:
        """Posts a signed event of type ``webhook.test`` at once, and says what came back."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/webhooks/{webhook_id}/test",
            webhook_id,
        )
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, WebhookTest, options)


class ProjectEnvironment:
    """The one webhook of project and environment, as older clients know it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def retrieve_webhook(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> Optional[Webhook]:
        """Tells where the news of project and environment is posted to."""
        at = path(self._transport.settings, "/v1/connect/{project}/webhook")
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", maybe(Webhook)), options)

    def update_webhook(
        self,
        *,
        url: str,
        options: Optional[CallOptions] = None,
    ) -> Webhook:
        """Sets the address. When it is set for the first time, ``signing_key`` is in the answer.

        Args:
            url: https, port 443 or 8443, at most 2048 characters.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/webhook")
        call = Call(
            "PUT",
            at,
            body={
                "url": url,
            },
            once=True,
        )
        return self._transport.send(call, within("data", Webhook), options)

    def delete_webhook(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Takes the address away, with all that was still to be posted to it."""
        at = path(self._transport.settings, "/v1/connect/{project}/webhook")
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)

    def regenerate_webhook_signing_key(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> Webhook:
        """Makes another signing key. The one before signs beside it for a day."""
        at = path(self._transport.settings, "/v1/connect/{project}/webhook/regenerate_signing_key")
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, within("data", Webhook), options)

    def reset_webhook_delivery_state(
        self,
        *,
        options: Optional[CallOptions] = None,
    ) -> Webhook:
        """Starts afresh with an address that was switched off or is being spared."""
        at = path(self._transport.settings, "/v1/connect/{project}/webhook/reset_delivery_state")
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, within("data", Webhook), options)


class Components:
    """Actions and triggers alike."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        component_type: Optional[Literal["trigger", "action"]] = None,
        app: Union[str, Unset] = UNSET,
        q: Optional[str] = None,
        registry: Optional[Literal["public", "private", "all"]] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Component]:
        """Lists actions and triggers that can be configured."""
        at = path(self._transport.settings, "/v1/connect/{project?}/components")
        call = Call(
            "GET",
            at,
            query={
                "component_type": component_type,
                "app": app,
                "q": q,
                "registry": registry,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Component, options)

    def retrieve(
        self,
        key: str,
        *,
        version: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Component:
        """Gives one by its key."""
        at = path(self._transport.settings, "/v1/connect/{project?}/components/{key}", key)
        call = Call(
            "GET",
            at,
            query={
                "version": version,
            },
        )
        return self._transport.send(call, within("data", Component), options)

    def configure(
        self,
        *,
        id: str,
        external_user_id: str,
        prop_name: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        page: Union[int, Unset] = UNSET,
        prev_context: Union[Mapping[str, Any], Unset] = UNSET,
        query: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ConfiguredField:
        """Gives the values that a field can have. Failures of its code are in ``errors``.

        Args:
            id: The component's key.
            prop_name: The field whose values are wanted.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
            page: From 0.
            prev_context: The ``context`` of the page before.
            query: What the user typed.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/components/configure")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
                "prop_name": prop_name,
                "page": page,
                "prev_context": prev_context,
                "query": query,
            },
        )
        return self._transport.send(call, ConfiguredField, options)

    def reload_props(
        self,
        *,
        id: str,
        external_user_id: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ReloadedFields:
        """Gives the fields that the choices so far bring with them.

        Args:
            id: The component's key.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/components/props")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
            },
        )
        return self._transport.send(call, ReloadedFields, options)

    def publish(
        self,
        *,
        files: Sequence[ComponentFile],
        entry: Union[Optional[str], Unset] = UNSET,
        packages: Union[Optional[Sequence[str]], Unset] = UNSET,
        permissions: Union[Optional[Sequence[str]], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ComponentView:
        """Publishes a version of a component. Its code is loaded once, and says key, version and
        fields; a version never changes, and the same again changes nothing.

        Args:
            entry: The file that is loaded first. Not needed where there is one only.
            packages: Names of packages that mean ``@grantkeep/runtime`` in this code.
            permissions: What it may do beyond others: ``raw-tokens`` shows its code credentials as
                they are.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/components")
        call = Call(
            "POST",
            at,
            body={
                "entry": entry,
                "files": files,
                "packages": packages,
                "permissions": permissions,
            },
        )
        return self._transport.send(call, within("data", ComponentView), options)

    def delete(
        self,
        key: str,
        *,
        force: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Takes a component of the project's own away, with all its versions. One that a trigger is
        made of, or a workflow runs, is kept, unless this is forced: they stop working.

        Args:
            force: Also where it is used
        """
        at = path(self._transport.settings, "/v1/connect/{project}/components/{key}", key)
        call = Call(
            "DELETE",
            at,
            query={
                "force": force,
            },
        )
        return self._transport.send(call, nothing, options)


class Runs:
    """What was run lately, for whom, and what came of it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        external_user_id: Union[str, Unset] = UNSET,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[ComponentRun]:
        """Lists what was run lately, newest first: the last thousand of an environment are kept.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/runs")
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, ComponentRun, options)

    def retrieve(
        self,
        run_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> ComponentRun:
        """Gives one run."""
        at = path(self._transport.settings, "/v1/connect/{project}/runs/{run_id}", run_id)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", ComponentRun), options)


class Actions:
    """Actions: components that are run."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        q: Optional[str] = None,
        registry: Optional[Literal["public", "private", "all"]] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Component]:
        """Lists actions that can be configured."""
        at = path(self._transport.settings, "/v1/connect/{project?}/actions")
        call = Call(
            "GET",
            at,
            query={
                "app": app,
                "q": q,
                "registry": registry,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Component, options)

    def retrieve(
        self,
        key: str,
        *,
        version: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Component:
        """Gives one by its key."""
        at = path(self._transport.settings, "/v1/connect/{project?}/actions/{key}", key)
        call = Call(
            "GET",
            at,
            query={
                "version": version,
            },
        )
        return self._transport.send(call, within("data", Component), options)

    def configure(
        self,
        *,
        id: str,
        external_user_id: str,
        prop_name: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        page: Union[int, Unset] = UNSET,
        prev_context: Union[Mapping[str, Any], Unset] = UNSET,
        query: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ConfiguredField:
        """Gives the values that a field can have. Failures of its code are in ``errors``.

        Args:
            id: The component's key.
            prop_name: The field whose values are wanted.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
            page: From 0.
            prev_context: The ``context`` of the page before.
            query: What the user typed.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/actions/configure")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
                "prop_name": prop_name,
                "page": page,
                "prev_context": prev_context,
                "query": query,
            },
        )
        return self._transport.send(call, ConfiguredField, options)

    def reload_props(
        self,
        *,
        id: str,
        external_user_id: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ReloadedFields:
        """Gives the fields that the choices so far bring with them.

        Args:
            id: The component's key.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/actions/props")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
            },
        )
        return self._transport.send(call, ReloadedFields, options)

    def run(
        self,
        *,
        id: str,
        external_user_id: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        stash_id: Union[Optional[Union[str, bool]], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> RunResult:
        """Runs an action for a user. Failures of its code are in ``os``.

        Args:
            id: The component's key.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
            stash_id: Empty: a new file stash.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/actions/run")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
                "stash_id": stash_id,
            },
        )
        return self._transport.send(call, RunResult, options)


class Triggers:
    """Triggers: components that wait for something to happen."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        app: Union[str, Unset] = UNSET,
        q: Optional[str] = None,
        registry: Optional[Literal["public", "private", "all"]] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Component]:
        """Lists triggers that can be configured."""
        at = path(self._transport.settings, "/v1/connect/{project?}/triggers")
        call = Call(
            "GET",
            at,
            query={
                "app": app,
                "q": q,
                "registry": registry,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Component, options)

    def retrieve(
        self,
        key: str,
        *,
        version: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Component:
        """Gives one by its key."""
        at = path(self._transport.settings, "/v1/connect/{project?}/triggers/{key}", key)
        call = Call(
            "GET",
            at,
            query={
                "version": version,
            },
        )
        return self._transport.send(call, within("data", Component), options)

    def configure(
        self,
        *,
        id: str,
        external_user_id: str,
        prop_name: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        page: Union[int, Unset] = UNSET,
        prev_context: Union[Mapping[str, Any], Unset] = UNSET,
        query: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ConfiguredField:
        """Gives the values that a field can have. Failures of its code are in ``errors``.

        Args:
            id: The component's key.
            prop_name: The field whose values are wanted.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
            page: From 0.
            prev_context: The ``context`` of the page before.
            query: What the user typed.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/triggers/configure")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
                "prop_name": prop_name,
                "page": page,
                "prev_context": prev_context,
                "query": query,
            },
        )
        return self._transport.send(call, ConfiguredField, options)

    def reload_props(
        self,
        *,
        id: str,
        external_user_id: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> ReloadedFields:
        """Gives the fields that the choices so far bring with them.

        Args:
            id: The component's key.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/triggers/props")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
            },
        )
        return self._transport.send(call, ReloadedFields, options)

    def deploy(
        self,
        *,
        id: str,
        external_user_id: str,
        version: Union[str, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        dynamic_props_id: Union[str, Unset] = UNSET,
        workflow_id: Union[str, Unset] = UNSET,
        webhook_url: Union[str, Unset] = UNSET,
        emit_on_deploy: Union[bool, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> DeployedTrigger:
        """Deploys a trigger for a user; each call makes a new one.

        Args:
            id: The component's key.
            configured_props: Field name to value.
            dynamic_props_id: What ``reload_props`` gave.
            emit_on_deploy: Also what happened before; true if absent.
        """
        at = path(self._transport.settings, "/v1/connect/{project?}/triggers/deploy")
        call = Call(
            "POST",
            at,
            body={
                "id": id,
                "external_user_id": external_user_id,
                "version": version,
                "configured_props": configured_props,
                "dynamic_props_id": dynamic_props_id,
                "workflow_id": workflow_id,
                "webhook_url": webhook_url,
                "emit_on_deploy": emit_on_deploy,
            },
        )
        return self._transport.send(call, within("data", DeployedTrigger), options)


class DeployedTriggers:
    """Triggers that run for a user."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        external_user_id: str,
        emitter_type: Optional[Literal["email", "http", "source", "timer"]] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[DeployedTrigger]:
        """Lists what was deployed for a user."""
        at = path(self._transport.settings, "/v1/connect/{project?}/deployed-triggers")
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
                "emitter_type": emitter_type,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, DeployedTrigger, options)

    def retrieve(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> DeployedTrigger:
        """Gives one."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}",
            trigger_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, within("data", DeployedTrigger), options)

    def update(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        active: Union[bool, Unset] = UNSET,
        configured_props: Union[Mapping[str, Any], Unset] = UNSET,
        name: Union[str, Unset] = UNSET,
        emit_on_deploy: Union[bool, Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> DeployedTrigger:
        """Changes one. What is left out stays."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}",
            trigger_id,
        )
        call = Call(
            "PUT",
            at,
            query={
                "external_user_id": external_user_id,
            },
            body={
                "active": active,
                "configured_props": configured_props,
                "name": name,
                "emit_on_deploy": emit_on_deploy,
            },
        )
        return self._transport.send(call, within("data", DeployedTrigger), options)

    def delete(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        ignore_hook_errors: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Takes one away. ``ignore_hook_errors``: also when its code fails at it."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}",
            trigger_id,
        )
        call = Call(
            "DELETE",
            at,
            query={
                "external_user_id": external_user_id,
                "ignore_hook_errors": ignore_hook_errors,
            },
        )
        return self._transport.send(call, nothing, options)

    def events(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        n: Optional[int] = None,
        options: Optional[CallOptions] = None,
    ) -> List[TriggerEvent]:
        """Gives its latest events; ``n`` of at most 100."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}/events",
            trigger_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
                "n": n,
            },
        )
        return self._transport.send(call, within("data", many(TriggerEvent)), options)

    def workflows(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> TriggerWorkflows:
        """Tells which workflows it starts."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}/pipelines",
            trigger_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, TriggerWorkflows, options)

    def update_workflows(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        workflow_ids: Sequence[str],
        options: Optional[CallOptions] = None,
    ) -> TriggerWorkflows:
        """Sets which workflows it starts."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}/pipelines",
            trigger_id,
        )
        call = Call(
            "PUT",
            at,
            query={
                "external_user_id": external_user_id,
            },
            body={
                "workflow_ids": workflow_ids,
            },
        )
        return self._transport.send(call, TriggerWorkflows, options)

    def webhooks(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> TriggerWebhooks:
        """Tells where it posts to."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}/webhooks",
            trigger_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, TriggerWebhooks, options)

    def update_webhooks(
        self,
        trigger_id: str,
        *,
        external_user_id: str,
        webhook_urls: Sequence[str],
        options: Optional[CallOptions] = None,
    ) -> TriggerWebhooks:
        """Sets where it posts to. Addresses that stay keep their key."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project?}/deployed-triggers/{trigger_id}/webhooks",
            trigger_id,
        )
        call = Call(
            "PUT",
            at,
            query={
                "external_user_id": external_user_id,
            },
            body={
                "webhook_urls": webhook_urls,
            },
        )
        return self._transport.send(call, TriggerWebhooks, options)

    def retrieve_webhook(
        self,
        trigger_id: str,
        webhook_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> TriggerWebhook:
        """Gives one of its addresses, with the key."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/deployed-triggers/{trigger_id}/webhooks/{webhook_id}",
            trigger_id,
            webhook_id,
        )
        call = Call(
            "GET",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, within("data", TriggerWebhook), options)

    def regenerate_webhook_signing_key(
        self,
        trigger_id: str,
        webhook_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> TriggerWebhook:
        """Makes its key anew."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/deployed-triggers/{trigger_id}/webhooks/{webhook_id}/regenerate_signing_key",
            trigger_id,
            webhook_id,
        )
        call = Call(
            "POST",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, within("data", TriggerWebhook), options)

    def reset_webhook_delivery_state(
        self,
        trigger_id: str,
        webhook_id: str,
        *,
        external_user_id: str,
        options: Optional[CallOptions] = None,
    ) -> TriggerWebhook:
        """Starts afresh with one that was switched off."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/deployed-triggers/{trigger_id}/webhooks/{webhook_id}/reset_delivery_state",
            trigger_id,
            webhook_id,
        )
        call = Call(
            "POST",
            at,
            query={
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, within("data", TriggerWebhook), options)


class Workflows:
    """Steps that follow each other, each named by its id or its name."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[Workflow]:
        """Lists a project's workflows, newest first.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/workflows")
        call = Call(
            "GET",
            at,
            query={
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, Workflow, options)

    def deploy(
        self,
        *,
        files: Sequence[WorkflowFile],
        options: Optional[CallOptions] = None,
    ) -> DeployedWorkflow:
        """Deploys a workflow, or the next version of one of that name. The same again changes
        nothing.
        """
        at = path(self._transport.settings, "/v1/connect/{project}/workflows")
        call = Call(
            "POST",
            at,
            body={
                "files": files,
            },
        )
        return self._transport.send(call, DeployedWorkflow, options)

    def retrieve(
        self,
        workflow: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> Workflow:
        """Gives one, by its id or name."""
        at = path(self._transport.settings, "/v1/connect/{project}/workflows/{workflow}", workflow)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", Workflow), options)

    def delete(
        self,
        workflow: str,
        *,
        force: Optional[bool] = None,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes one with all its versions and runs. What is under way ends after its step. One
        that a trigger or the failure of another workflow starts is kept, unless this is forced.

        Args:
            force: Also where something starts it
        """
        at = path(self._transport.settings, "/v1/connect/{project}/workflows/{workflow}", workflow)
        call = Call(
            "DELETE",
            at,
            query={
                "force": force,
            },
        )
        return self._transport.send(call, nothing, options)

    def invoke(
        self,
        workflow: str,
        *,
        event: Union[Any, Unset] = UNSET,
        external_user_id: Union[Optional[str], Unset] = UNSET,
        options: Optional[CallOptions] = None,
    ) -> WorkflowRun:
        """Starts a run. It is answered as soon as the run is stored.

        Args:
            event: What its steps see as ``steps.trigger.event``: any JSON.
        """
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/workflows/{workflow}/invoke",
            workflow,
        )
        call = Call(
            "POST",
            at,
            body={
                "event": event,
                "external_user_id": external_user_id,
            },
        )
        return self._transport.send(call, within("data", WorkflowRun), options)


class WorkflowRuns:
    """Runs of workflows, step by step."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        workflow: Optional[str] = None,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[WorkflowRun]:
        """Lists runs of an environment, newest first.

        Args:
            workflow: Id or name of a workflow
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/{project}/workflow-runs")
        call = Call(
            "GET",
            at,
            query={
                "workflow": workflow,
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, WorkflowRun, options)

    def retrieve(
        self,
        run_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WholeWorkflowRun:
        """Gives one with its timeline: what each step got, gave, logged and called."""
        at = path(self._transport.settings, "/v1/connect/{project}/workflow-runs/{run_id}", run_id)
        call = Call(
            "GET",
            at,
        )
        return self._transport.send(call, within("data", WholeWorkflowRun), options)

    def replay(
        self,
        run_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WorkflowRun:
        """Starts a run with the event of another one, of the workflow as it is now."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/workflow-runs/{run_id}/replay",
            run_id,
        )
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, within("data", WorkflowRun), options)

    def cancel(
        self,
        run_id: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> WorkflowRun:
        """Ends a run. What its steps did stays done."""
        at = path(
            self._transport.settings,
            "/v1/connect/{project}/workflow-runs/{run_id}/cancel",
            run_id,
        )
        call = Call(
            "POST",
            at,
        )
        return self._transport.send(call, within("data", WorkflowRun), options)


class Usage:
    """What was used."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        start_ts: int,
        end_ts: int,
        options: Optional[CallOptions] = None,
    ) -> List[UsageSpan]:
        """Says what was used, day by day in UTC, in credits: of both environments, by every project
        that the caller reaches.

        Args:
            start_ts: Seconds since 1970
            end_ts: Seconds since 1970, at most 400 days later
        """
        at = path(self._transport.settings, "/v1/connect/usage")
        call = Call(
            "GET",
            at,
            query={
                "start_ts": start_ts,
                "end_ts": end_ts,
            },
        )
        return self._transport.send(call, within("data", many(UsageSpan)), options)

    def of_project(
        self,
        *,
        start_ts: int,
        end_ts: int,
        by: Optional[Literal["day", "hour"]] = None,
        options: Optional[CallOptions] = None,
    ) -> List[ProjectUsage]:
        """Says what a project used in an environment, by the day or by the hour in UTC. What other
        processes of the server counted in the last ten seconds may be missing.

        Args:
            start_ts: Seconds since 1970
            end_ts: Seconds since 1970: at most 400 days later, by the hour 31
            by: Into which pieces, of UTC
        """
        at = path(self._transport.settings, "/v1/connect/{project}/usage")
        call = Call(
            "GET",
            at,
            query={
                "start_ts": start_ts,
                "end_ts": end_ts,
                "by": by,
            },
        )
        return self._transport.send(call, within("data", many(ProjectUsage)), options)


class RateLimits:
    """Limits of your own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        requests_per_window: int,
        window_size_seconds: int,
        options: Optional[CallOptions] = None,
    ) -> RateLimit:
        """Makes a limit of your own. Requests with the header ``x-pd-rate-limit`` and its token
        count in it together, in each process of the server by itself; beyond it they are answered
        with 429.

        A client of one project makes it for that project, any other for every project.

        Args:
            requests_per_window: Requests that a window takes.
            window_size_seconds: Length of a window in seconds, 1 to 86400. Windows begin on the
                clock: those of 60 seconds with each minute.
        """
        at = path(self._transport.settings, "/v1/connect/rate_limits")
        call = Call(
            "POST",
            at,
            body={
                "requests_per_window": requests_per_window,
                "window_size_seconds": window_size_seconds,
            },
        )
        return self._transport.send(call, RateLimit, options)

    def list(
        self,
        *,
        limit: Optional[int] = None,
        after: Optional[str] = None,
        before: Optional[str] = None,
        options: Optional[CallOptions] = None,
    ) -> Listing[RateLimit]:
        """Lists your own limits, newest first.

        Args:
            limit: Items on a page
            after: A page's ``end_cursor``
            before: A page's ``start_cursor``
        """
        at = path(self._transport.settings, "/v1/connect/rate_limits")
        call = Call(
            "GET",
            at,
            query={
                "limit": limit,
                "after": after,
                "before": before,
            },
        )
        return Listing(self._transport, call, RateLimit, options)

    def delete(
        self,
        token: str,
        *,
        options: Optional[CallOptions] = None,
    ) -> None:
        """Deletes a limit of your own. Requests that still name it are refused."""
        at = path(self._transport.settings, "/v1/connect/rate_limits/{token}", token)
        call = Call(
            "DELETE",
            at,
        )
        return self._transport.send(call, nothing, options)


class Resources:
    """A client's resources."""

    def __init__(self, transport: Transport) -> None:
        self.apps = Apps(transport)
        self.app_categories = AppCategories(transport)
        self.tokens = Tokens(transport)
        self.flows = Flows(transport)
        self.users = Users(transport)
        self.accounts = Accounts(transport)
        self.oauth_apps = OAuthApps(transport)
        self.app_overrides = AppOverrides(transport)
        self.custom_apps = CustomApps(transport)
        self.projects = Projects(transport)
        self.freeze = Freeze(transport)
        self.webhooks = Webhooks(transport)
        self.project_environment = ProjectEnvironment(transport)
        self.components = Components(transport)
        self.runs = Runs(transport)
        self.actions = Actions(transport)
        self.triggers = Triggers(transport)
        self.deployed_triggers = DeployedTriggers(transport)
        self.workflows = Workflows(transport)
        self.workflow_runs = WorkflowRuns(transport)
        self.usage = Usage(transport)
        self.rate_limits = RateLimits(transport)
