"""What answers are made of. Written by generate.py: edit that, or table.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List, Literal, Optional

from .model import Model, many, when


class ScopeProfile(Model):
    """A set of scopes that the connect page can ask for by one name."""

    #: ``read_only``, ``read_write`` or ``admin``.
    name: str
    scopes: List[str]

    _required = frozenset({"name", "scopes"})


class AppProxy(Model):
    """What the proxy can do for an app."""

    #: Hosts that a request may name besides that of the base URL.
    allowed_domains: Optional[List[str]]
    #: What relative targets are joined to; may hold ``{{field}}``.
    base_proxy_target_url: str
    proxy_enabled: bool

    _required = frozenset({"base_proxy_target_url", "proxy_enabled"})
    _optional = frozenset({"allowed_domains"})


class AppEvidence(Model):
    """How well an app is known."""

    #: How many independent sources say the same.
    confirmed: int
    #: Whether enough is known to connect.
    connectable: bool
    #: ``confirmed``, ``single_source`` or ``incomplete``.
    status: str

    _required = frozenset({"confirmed", "connectable", "status"})


class App(Model):
    """An app that accounts can be connected to."""

    #: ``oauth``, ``keys`` or ``none``.
    auth_type: str
    categories: List[str]
    #: The fields asked of a user: a JSON text that holds an array.
    custom_fields_json: str
    description: str
    #: How well known the app is; lists begin with the greatest.
    featured_weight: int
    #: An image of the app, as an absolute URL.
    img_src: str
    name_slug: str
    scope_profiles: List[ScopeProfile]
    connect: AppProxy
    evidence: AppEvidence
    id: str
    name: str
    oauth_app_id: Optional[str]

    _read = {
        "scope_profiles": many(ScopeProfile),
        "connect": AppProxy,
        "evidence": AppEvidence,
    }
    _required = frozenset(
        {
            "auth_type",
            "categories",
            "custom_fields_json",
            "description",
            "featured_weight",
            "img_src",
            "name_slug",
            "scope_profiles",
            "connect",
            "evidence",
            "id",
            "name",
        }
    )
    _optional = frozenset({"oauth_app_id"})


class AppCategory(Model):
    """A category of apps."""

    description: str
    id: str
    name: str

    _required = frozenset({"description", "id", "name"})


class ConnectToken(Model):
    """A connect token, and the link to the connect page."""

    #: Ends in a query string, so that ``&app=...`` can be appended.
    connect_link_url: str
    #: ISO 8601.
    expires_at: datetime
    token: str

    _read = {
        "expires_at": when,
    }
    _required = frozenset({"connect_link_url", "expires_at", "token"})
    _secret = frozenset({"connect_link_url", "token"})


Environment = Literal["development", "production"]


class TokenValidation(Model):
    """Whether a connect token is good, and for what."""

    app: Optional[App]
    #: Fields that it fills, so that users are not asked for them.
    app_override_field_names: Optional[List[str]]
    app_override_id: Optional[str]
    #: Why not, as a sentence.
    error: Optional[str]
    error_redirect_uri: Optional[str]
    oauth_app_connect_base_url: Optional[str]
    oauth_app_id: Optional[str]
    oauth_app_workday_official: bool
    project_app_name: Optional[str]
    project_environment: Optional[Environment]
    project_id: Optional[str]
    project_support_email: Optional[str]
    success: bool
    success_redirect_uri: Optional[str]

    _read = {
        "app": App,
    }
    _required = frozenset({"oauth_app_workday_official", "success"})
    _optional = frozenset(
        {
            "app",
            "app_override_field_names",
            "app_override_id",
            "error",
            "error_redirect_uri",
            "oauth_app_connect_base_url",
            "oauth_app_id",
            "project_app_name",
            "project_environment",
            "project_id",
            "project_support_email",
            "success_redirect_uri",
        }
    )


# How sure it is that the person who connected is the user that the account is filed under.
Binding = Literal["verified", "embedded", "none"]


class Account(Model):
    """A user's connection to an app."""

    app: Optional[App]
    authorized_scopes: List[str]
    #: How sure it is that the person who connected is this user.
    binding: Binding
    created_at: datetime
    #: Only with ``include_credentials=true``, and never to a browser.
    credentials: Optional[Dict[str, Any]]
    #: Whether only a reconnect helps.
    dead: bool
    #: What is wrong, as a sentence.
    error: Optional[str]
    #: When the access token ends.
    expires_at: Optional[datetime]
    #: Your own id of the user.
    external_id: str
    #: False while refreshing fails, and when the account is dead.
    healthy: bool
    id: str
    last_refreshed_at: Optional[datetime]
    #: Scopes that were asked for and not granted.
    missing_scopes: List[str]
    #: The account's name at the app, such as a mail address.
    name: Optional[str]
    next_refresh_at: Optional[datetime]
    #: ``healthy``, ``error`` or ``dead``.
    status: str
    #: A stable word for what is wrong.
    status_reason: Optional[str]
    updated_at: datetime

    _read = {
        "app": App,
        "created_at": when,
        "expires_at": when,
        "last_refreshed_at": when,
        "next_refresh_at": when,
        "updated_at": when,
    }
    _required = frozenset(
        {
            "authorized_scopes",
            "binding",
            "created_at",
            "dead",
            "external_id",
            "healthy",
            "id",
            "missing_scopes",
            "status",
            "updated_at",
        }
    )
    _optional = frozenset(
        {
            "app",
            "credentials",
            "error",
            "expires_at",
            "last_refreshed_at",
            "name",
            "next_refresh_at",
            "status_reason",
        }
    )
    _secret = frozenset({"credentials"})


class ConfirmedAccount(Model):
    """An account whose person your backend has confirmed."""

    app: Optional[App]
    authorized_scopes: List[str]
    #: How sure it is that the person who connected is this user.
    binding: Binding
    created_at: datetime
    #: Only with ``include_credentials=true``, and never to a browser.
    credentials: Optional[Dict[str, Any]]
    #: Whether only a reconnect helps.
    dead: bool
    #: What is wrong, as a sentence.
    error: Optional[str]
    #: When the access token ends.
    expires_at: Optional[datetime]
    #: Your own id of the user.
    external_id: str
    #: False while refreshing fails, and when the account is dead.
    healthy: bool
    id: str
    last_refreshed_at: Optional[datetime]
    #: Scopes that were asked for and not granted.
    missing_scopes: List[str]
    #: The account's name at the app, such as a mail address.
    name: Optional[str]
    next_refresh_at: Optional[datetime]
    #: ``healthy``, ``error`` or ``dead``.
    status: str
    #: A stable word for what is wrong.
    status_reason: Optional[str]
    updated_at: datetime
    #: Where you may send the browser: the token's ``success_redirect_uri``, or a page of ours.
    redirect_uri: str

    _read = {
        "app": App,
        "created_at": when,
        "expires_at": when,
        "last_refreshed_at": when,
        "next_refresh_at": when,
        "updated_at": when,
    }
    _required = frozenset(
        {
            "authorized_scopes",
            "binding",
            "created_at",
            "dead",
            "external_id",
            "healthy",
            "id",
            "missing_scopes",
            "status",
            "updated_at",
            "redirect_uri",
        }
    )
    _optional = frozenset(
        {
            "app",
            "credentials",
            "error",
            "expires_at",
            "last_refreshed_at",
            "name",
            "next_refresh_at",
            "status_reason",
        }
    )
    _secret = frozenset({"credentials"})


class User(Model):
    """One of your users."""

    created_at: datetime
    #: Your own id of the user.
    external_id: str
    id: str
    updated_at: datetime

    _read = {
        "created_at": when,
        "updated_at": when,
    }
    _required = frozenset({"created_at", "external_id", "id", "updated_at"})


class Erasure(Model):
    """How far an erasure is."""

    #: How many accounts there were when it began.
    accounts: int
    created_at: datetime
    #: How many of them are gone.
    erased: int
    finished_at: Optional[datetime]
    id: str
    #: ``erasing`` or ``done``.
    status: str

    _read = {
        "created_at": when,
        "finished_at": when,
    }
    _required = frozenset({"accounts", "created_at", "erased", "id", "status"})
    _optional = frozenset({"finished_at"})


class RefreshAttempt(Model):
    """A refresh that was tried."""

    #: ``ok``, or the reason of the failure.
    outcome: str
    tried_at: datetime
    #: ``needed``, ``ahead``, ``forced`` or ``recovery``.
    why: Optional[str]

    _read = {
        "tried_at": when,
    }
    _required = frozenset({"outcome", "tried_at"})
    _optional = frozenset({"why"})


class Forecast(Model):
    """An end to come, as callers see it."""

    #: Until then the grant can be kept; after it only a reconnect helps.
    ends_at: datetime
    #: ``expired_idle``, ``expired_lifetime`` or ``no_refresh_token``.
    reason: str
    text: str

    _read = {
        "ends_at": when,
    }
    _required = frozenset({"ends_at", "reason", "text"})


class AccountHealth(Model):
    """How an account is, and how it came to that."""

    account_id: str
    #: The last refreshes, the newest first.
    attempts: List[RefreshAttempt]
    #: When the access token ends.
    expires_at: Optional[datetime]
    #: Failed refreshes in a row.
    failures: int
    forecast: Optional[Forecast]
    #: An app's answer was lost, and what became of the grant is not known yet.
    in_doubt: bool
    #: Whether it is kept from ending for being idle.
    keep_alive: bool
    last_refreshed_at: Optional[datetime]
    #: When it is refreshed next by itself.
    next_attempt_at: Optional[datetime]
    #: A stable word for what is wrong.
    reason: Optional[str]
    #: ``healthy``, ``error`` or ``dead``.
    status: str
    #: What is wrong, as a sentence.
    text: Optional[str]

    _read = {
        "attempts": many(RefreshAttempt),
        "expires_at": when,
        "forecast": Forecast,
        "last_refreshed_at": when,
        "next_attempt_at": when,
    }
    _required = frozenset(
        {
            "account_id",
            "attempts",
            "failures",
            "in_doubt",
            "keep_alive",
            "status",
        }
    )
    _optional = frozenset(
        {
            "expires_at",
            "forecast",
            "last_refreshed_at",
            "next_attempt_at",
            "reason",
            "text",
        }
    )


# What became of a deleted account's grant.
RevocationOutcome = Literal["revoked", "unsupported", "failed", "pending"]


class Revocation(Model):
    """What became of a deleted account's grant, as callers see it."""

    account_id: str
    app: str
    #: Why it failed, in the provider's words or ours.
    detail: Optional[str]
    #: Your own id of the user.
    external_id: str
    #: Whether it is still tried.
    retrying: bool
    revocation: RevocationOutcome

    _required = frozenset({"account_id", "app", "external_id", "retrying", "revocation"})
    _optional = frozenset({"detail"})


class OAuthApp(Model):
    """A client that the project registered at an app. The secret is never shown."""

    #: ``oauth``, ``keys`` or ``none``.
    auth_type: str
    categories: List[str]
    #: The fields asked of a user: a JSON text that holds an array.
    custom_fields_json: str
    description: str
    #: How well known the app is; lists begin with the greatest.
    featured_weight: int
    #: An image of the app, as an absolute URL.
    img_src: str
    name_slug: str
    scope_profiles: List[ScopeProfile]
    additional_scopes: List[str]
    #: PEM.
    client_certificate: Optional[str]
    client_id: str
    created_at: datetime
    id: str
    #: Where apps that fetch keys find it.
    jwks_uri: Optional[str]
    key_id: Optional[str]
    name: str
    owner_id: str
    #: The public half of its key, to be registered at the app.
    public_jwk: Optional[Dict[str, Any]]
    #: To be registered at the app, exactly so.
    redirect_uri: str
    #: Scopes that users are asked for.
    scopes: List[str]
    updated_at: datetime

    _read = {
        "scope_profiles": many(ScopeProfile),
        "created_at": when,
        "updated_at": when,
    }
    _required = frozenset(
        {
            "auth_type",
            "categories",
            "custom_fields_json",
            "description",
            "featured_weight",
            "img_src",
            "name_slug",
            "scope_profiles",
            "additional_scopes",
            "client_id",
            "created_at",
            "id",
            "name",
            "owner_id",
            "redirect_uri",
            "scopes",
            "updated_at",
        }
    )
    _optional = frozenset({"client_certificate", "jwks_uri", "key_id", "public_jwk"})


class AppOverride(Model):
    """Values set for an app."""

    app: App
    #: Field name to value.
    cfmap: Dict[str, str]
    created_at: datetime
    id: str
    name: str
    oauth_app_id: Optional[str]
    owner_id: str
    updated_at: datetime

    _read = {
        "app": App,
        "created_at": when,
        "updated_at": when,
    }
    _required = frozenset({"app", "cfmap", "created_at", "id", "name", "owner_id", "updated_at"})
    _optional = frozenset({"oauth_app_id"})


class CustomAppProblem(Model):
    """Something that is wrong in an app file, or could be better."""

    fix: str
    #: The key or the line.
    place: str
    #: ``error`` or ``warning``.
    severity: str
    wrong: str

    _required = frozenset({"fix", "place", "severity", "wrong"})


class CustomApp(Model):
    """An app of the project's own."""

    app: Optional[App]
    created_at: datetime
    #: The app file (TOML) as it was given. Not in lists.
    definition: Optional[str]
    #: Where the endpoints were read, for apps that were discovered.
    discovered: Optional[Dict[str, Any]]
    problems: List[CustomAppProblem]
    slug: str
    updated_at: datetime
    #: Grows with each definition.
    version: int

    _read = {
        "app": App,
        "created_at": when,
        "problems": many(CustomAppProblem),
        "updated_at": when,
    }
    _required = frozenset({"created_at", "problems", "slug", "updated_at", "version"})
    _optional = frozenset({"app", "definition", "discovered"})


class Discovery(Model):
    """What became of an address: an app, and a client at it."""

    #: ``registered``: it registered itself; ``document``: its id is the address of a document that
    #: this server serves; ``to_be_entered``.
    client: str
    #: When the server wants another secret.
    client_secret_expires_at: Optional[datetime]
    custom_app: CustomApp
    #: The client. Where it is ``to_be_entered``, register its ``redirect_uri`` at the app, and
    #: enter id and secret.
    oauth_app: OAuthApp
    #: Why it must be entered, or what the server registered otherwise than it was asked.
    remark: Optional[str]

    _read = {
        "client_secret_expires_at": when,
        "custom_app": CustomApp,
        "oauth_app": OAuthApp,
    }
    _required = frozenset({"client", "custom_app", "oauth_app"})
    _optional = frozenset({"client_secret_expires_at", "remark"})


class Project(Model):
    """A project."""

    app_name: Optional[str]
    #: Whether components' code sees placeholders in the place of credentials.
    blind_tokens: bool
    #: The origin of its clients' redirect URIs; that of the server when null.
    callback_origin: Optional[str]
    #: The only hosts that your code may call here, beside those of the apps whose accounts it gets.
    #: Null: all that are public.
    code_hosts: Optional[List[str]]
    #: Names of packages that mean ``@grantkeep/runtime`` in components' code.
    component_packages: List[str]
    connect_require_key_auth_test: bool
    #: External users that the environment ``development`` takes. Null: any number.
    development_users_max: Optional[int]
    id: str
    name: str
    #: Whether users choose how much they allow.
    scope_choice: bool
    support_email: Optional[str]
    #: Where browsers are sent to be confirmed by your backend.
    verify_url: Optional[str]

    _required = frozenset(
        {
            "blind_tokens",
            "component_packages",
            "connect_require_key_auth_test",
            "id",
            "name",
            "scope_choice",
        }
    )
    _optional = frozenset(
        {
            "app_name",
            "callback_origin",
            "code_hosts",
            "development_users_max",
            "support_email",
            "verify_url",
        }
    )


class ConfiguredApp(Model):
    """An app that the project has a client for."""

    id: Optional[str]
    name_slug: str

    _required = frozenset({"name_slug"})
    _optional = frozenset({"id"})


class ProjectInfo(Model):
    """Which apps the project has clients for."""

    apps: List[ConfiguredApp]

    _read = {
        "apps": many(ConfiguredApp),
    }
    _required = frozenset({"apps"})


class FreezeState(Model):
    """What is frozen of a project."""

    #: Slugs of the apps whose credentials are not handed out.
    apps: List[str]
    #: Whether no credentials of the project are handed out.
    frozen: bool

    _required = frozenset({"apps", "frozen"})


# How an endpoint takes what is sent to it. The words are the wire's.
DeliveryCondition = Literal["happy", "penalty", "life_support", "deactivated"]


class DeliveryState(Model):
    """How an endpoint takes what is sent to it."""

    consecutive_failures: int
    last_error: Optional[str]
    #: News that came while nothing was sent any more. It waits for a replay.
    sheds: int
    #: Seconds since 1970.
    since: int
    state: DeliveryCondition

    _required = frozenset({"consecutive_failures", "sheds", "since", "state"})
    _optional = frozenset({"last_error"})


# What there can be news of.
WebhookTopic = Literal[
    "connection.success",
    "connection.error",
    "account.refresh_failed",
    "account.dead",
    "account.expiring",
    "account.recovered",
    "account.deleted",
    "account.needed",
    "trigger.paused",
    "workflow.failed",
    "workflow.emitted",
]


class WebhookEndpoint(Model):
    """An endpoint."""

    created_at: datetime
    #: Whether it is the one that ``/webhook`` is about. Its secret signs what is posted to the
    #: ``webhook_uri`` of connect tokens as well.
    default: bool
    delivery_state: DeliveryState
    id: str
    #: Only when it was made just now, and after a rotation.
    secret: Optional[str]
    #: Null: all, those that are still to come too.
    topics: Optional[List[WebhookTopic]]
    updated_at: datetime
    url: str

    _read = {
        "created_at": when,
        "delivery_state": DeliveryState,
        "updated_at": when,
    }
    _required = frozenset({"created_at", "default", "delivery_state", "id", "updated_at", "url"})
    _optional = frozenset({"secret", "topics"})
    _secret = frozenset({"secret"})


# How far a piece of news is with one endpoint.
DeliveryProgress = Literal["waiting", "delivered", "failed"]


class WebhookDelivery(Model):
    """One piece of news on its way to one endpoint."""

    account_id: Optional[str]
    attempts: int
    created_at: datetime
    endpoint_id: str
    id: str
    last_error: Optional[str]
    last_status: Optional[int]
    #: What the receiver gets as ``webhook-id``.
    message_id: str
    #: When it is tried next, while it waits.
    next_attempt_at: Optional[datetime]
    state: DeliveryProgress
    topic: str
    updated_at: datetime

    _read = {
        "created_at": when,
        "next_attempt_at": when,
        "updated_at": when,
    }
    _required = frozenset(
        {
            "attempts",
            "created_at",
            "endpoint_id",
            "id",
            "message_id",
            "state",
            "topic",
            "updated_at",
        }
    )
    _optional = frozenset({"account_id", "last_error", "last_status", "next_attempt_at"})


class Replay(Model):
    """How much was queued."""

    replayed: int

    _required = frozenset({"replayed"})


class WebhookTest(Model):
    """What came of a test."""

    #: The beginning of the answer.
    answer: Optional[str]
    delivered: bool
    error: Optional[str]
    message_id: str
    status: Optional[int]
    took_ms: int

    _required = frozenset({"delivered", "message_id", "took_ms"})
    _optional = frozenset({"answer", "error", "status"})


class Webhook(Model):
    """The endpoint of project and environment, in the form of older clients."""

    active: bool
    #: Seconds since 1970.
    created_at: int
    delivery_state: DeliveryState
    id: str
    #: Only when the address is set for the first time, and when the key was made anew.
    signing_key: Optional[str]
    signing_key_set: bool
    updated_at: int
    url: str

    _read = {
        "delivery_state": DeliveryState,
    }
    _required = frozenset(
        {
            "active",
            "created_at",
            "delivery_state",
            "id",
            "signing_key_set",
            "updated_at",
            "url",
        }
    )
    _optional = frozenset({"signing_key"})
    _secret = frozenset({"signing_key"})


class Component(Model):
    """An action or a trigger that can be configured."""

    key: str
    name: str
    version: str
    configurable_props: List[Dict[str, Any]]
    description: Optional[str]
    #: ``action`` or ``trigger``.
    component_type: Optional[str]
    #: Whether it needs files: ``optional`` or ``required``.
    stash: Optional[str]
    annotations: Optional[Dict[str, Any]]

    _required = frozenset({"key", "name", "version", "configurable_props"})
    _optional = frozenset({"description", "component_type", "stash", "annotations"})


class ConfiguredField(Model):
    """The values that a field can have."""

    options: Optional[List[Dict[str, Any]]]
    stringOptions: Optional[List[str]]
    #: What its code logged.
    observations: Optional[List[Dict[str, Any]]]
    #: For the next page.
    context: Optional[Dict[str, Any]]
    errors: Optional[List[str]]

    _optional = frozenset({"options", "stringOptions", "observations", "context", "errors"})


class ReloadedFields(Model):
    """All fields, with those that the choices bring."""

    #: What its code logged.
    observations: Optional[List[Dict[str, Any]]]
    errors: Optional[List[str]]
    #: ``id`` and ``configurableProps``.
    dynamicProps: Optional[Dict[str, Any]]

    _optional = frozenset({"observations", "errors", "dynamicProps"})


class ComponentFile(Model):
    """One file: its content as text, or in base64."""

    base64: Optional[str]
    #: Where it stands in the component's folder, such as ``common/api.mjs``.
    path: str
    text: Optional[str]

    _required = frozenset({"path"})
    _optional = frozenset({"base64", "text"})


class ComponentView(Model):
    """An action, or the source of a trigger."""

    #: What is known of what it does: ``readOnlyHint``, ``destructiveHint`` and so on.
    annotations: Optional[Dict[str, Any]]
    #: ``action`` or ``trigger``.
    component_type: Optional[str]
    #: What it is configured with, in order.
    configurable_props: List[Dict[str, Any]]
    description: Optional[str]
    #: The app's slug and the component's own, with a hyphen between them; ``~/`` begins a project's
    #: own.
    key: str
    name: str
    #: Whether it takes or makes files: ``optional``, ``required``, or null.
    stash: Optional[str]
    version: str

    _required = frozenset({"configurable_props", "key", "name", "version"})
    _optional = frozenset({"annotations", "component_type", "description", "stash"})


class RunObservation(Model):
    """A line of a log, or a failure."""

    err: Optional[Dict[str, Any]]
    #: Where it comes from, such as ``console.log``; ``error`` for what failed.
    k: str
    msg: Optional[str]
    #: Milliseconds since 1970.
    ts: int

    _required = frozenset({"k", "ts"})
    _optional = frozenset({"err", "msg"})


class ComponentRun(Model):
    """A run that is over. Secrets of the run are blacked out in all of it."""

    #: ``action``, or what else it was run for.
    about: str
    #: Calls to apps, each with method, host, path, status and more.
    calls: List[Dict[str, Any]]
    #: The component's key.
    component: str
    #: Whether there was more than is kept.
    cut: bool
    duration_ms: int
    ended_at: datetime
    exports: Dict[str, Any]
    id: str
    os: List[RunObservation]
    #: ``ok``, or what kind of failure it was: ``thrown``, ``timeout``, ``memory`` and so on.
    outcome: str
    ret: Optional[Dict[str, Any]]
    started_at: datetime
    #: This server's id of the user.
    user_id: str
    version: str

    _read = {
        "ended_at": when,
        "os": many(RunObservation),
        "started_at": when,
    }
    _required = frozenset(
        {
            "about",
            "calls",
            "component",
            "cut",
            "duration_ms",
            "ended_at",
            "exports",
            "id",
            "os",
            "outcome",
            "started_at",
            "user_id",
            "version",
        }
    )
    _optional = frozenset({"ret"})


class RunResult(Model):
    """What an action gave."""

    #: By name; ``$summary`` is for people.
    exports: Optional[Dict[str, Any]]
    #: What its code logged.
    os: Optional[List[Dict[str, Any]]]
    #: What it returned.
    ret: Any
    stash_id: Optional[str]

    _optional = frozenset({"exports", "os", "ret", "stash_id"})


class DeployedTrigger(Model):
    """What runs for a user by itself. Which fields there are depends on ``type``."""

    id: str
    #: ``DeployedComponent``, ``HttpInterface`` or ``TimerInterface``.
    type: str
    name: Optional[str]
    name_slug: Optional[str]
    active: Optional[bool]
    owner_id: Optional[str]
    component_id: Optional[str]
    component_key: Optional[str]
    configurable_props: Optional[List[Dict[str, Any]]]
    configured_props: Optional[Dict[str, Any]]
    emit_on_deploy: Optional[bool]
    webhook_signing_key: Optional[str]
    key: Optional[str]
    endpoint_url: Optional[str]
    custom_response: Optional[bool]
    interval_seconds: Optional[int]
    cron: Optional[str]
    timezone: Optional[str]
    schedule_changed_at: Optional[int]
    #: Seconds since 1970.
    created_at: Optional[int]
    #: Seconds since 1970.
    updated_at: Optional[int]

    _required = frozenset({"id", "type"})
    _optional = frozenset(
        {
            "name",
            "name_slug",
            "active",
            "owner_id",
            "component_id",
            "component_key",
            "configurable_props",
            "configured_props",
            "emit_on_deploy",
            "webhook_signing_key",
            "key",
            "endpoint_url",
            "custom_response",
            "interval_seconds",
            "cron",
            "timezone",
            "schedule_changed_at",
            "created_at",
            "updated_at",
        }
    )
    _secret = frozenset({"webhook_signing_key", "key", "endpoint_url"})


class TriggerEvent(Model):
    """Something that a trigger saw."""

    #: The event.
    e: Dict[str, Any]
    k: str
    #: Milliseconds since 1970.
    ts: int
    id: str
    #: For people.
    sum: Optional[str]

    _required = frozenset({"e", "k", "ts", "id"})
    _optional = frozenset({"sum"})


class TriggerWorkflows(Model):
    """Which workflows a trigger starts."""

    workflow_ids: List[str]

    _required = frozenset({"workflow_ids"})


class TriggerWebhook(Model):
    """An address that a trigger posts to."""

    id: str
    url: str
    signing_key: Optional[str]
    signing_key_set: bool
    #: Seconds since 1970.
    created_at: Optional[int]
    #: Seconds since 1970.
    updated_at: Optional[int]
    active: Optional[bool]
    delivery_state: Optional[Dict[str, Any]]

    _required = frozenset({"id", "url", "signing_key_set"})
    _optional = frozenset({"signing_key", "created_at", "updated_at", "active", "delivery_state"})
    _secret = frozenset({"signing_key"})


class TriggerWebhooks(Model):
    """Where a trigger posts to."""

    webhook_urls: List[str]
    webhooks: List[TriggerWebhook]

    _read = {
        "webhooks": many(TriggerWebhook),
    }
    _required = frozenset({"webhook_urls", "webhooks"})


class Workflow(Model):
    """A workflow."""

    #: How callers of its address prove who they are: ``none``, ``bearer`` or ``oauth``.
    auth: Optional[str]
    created_at: datetime
    #: When its timer is due.
    due_at: Optional[datetime]
    #: Where it is called; null where it has no address.
    endpoint_url: Optional[str]
    id: str
    name: str
    #: Its steps, each with ``name`` and what it runs.
    steps: List[Dict[str, Any]]
    #: When its timer starts runs: ``cron`` and ``timezone``, or ``intervalSeconds``; null where it
    #: has none.
    timer: Optional[Dict[str, Any]]
    updated_at: datetime
    #: New runs are of this version.
    version: int

    _read = {
        "created_at": when,
        "due_at": when,
        "updated_at": when,
    }
    _required = frozenset({"created_at", "id", "name", "steps", "updated_at", "version"})
    _optional = frozenset({"auth", "due_at", "endpoint_url", "timer"})
    _secret = frozenset({"endpoint_url"})


class WorkflowFile(Model):
    """One file, as text."""

    #: Where it stands in the workflow's folder, such as ``steps/notify.mjs``.
    path: str
    text: str

    _required = frozenset({"path", "text"})


class DeployedWorkflow(Model):
    """What was deployed."""

    #: The token that callers of its address prove themselves with. Shown once, when it is made.
    bearer_token: Optional[str]
    data: Workflow
    #: Whether it was not there already, the same.
    fresh: bool

    _read = {
        "data": Workflow,
    }
    _required = frozenset({"data", "fresh"})
    _optional = frozenset({"bearer_token"})
    _secret = frozenset({"bearer_token"})


class WorkflowRun(Model):
    """A run."""

    #: What started it: ``http``, ``call``, ``timer``, ``trigger``, ``flow``, ``error`` or
    #: ``replay``.
    cause: str
    created_at: datetime
    duration_ms: Optional[int]
    ended_at: Optional[datetime]
    external_user_id: str
    id: str
    #: The run that it repeats, or whose failure or step started it.
    of_run: Optional[str]
    #: Once it has ended: ``ok``, ``exit``, ``failed``, ``cancelled``, ``expired``, or ``not_run``.
    outcome: Optional[str]
    started_at: Optional[datetime]
    #: ``queued``, ``running``, ``waiting`` or ``ended``.
    state: str
    version: int
    workflow_id: str

    _read = {
        "created_at": when,
        "ended_at": when,
        "started_at": when,
    }
    _required = frozenset(
        {
            "cause",
            "created_at",
            "external_user_id",
            "id",
            "state",
            "version",
            "workflow_id",
        }
    )
    _optional = frozenset({"duration_ms", "ended_at", "of_run", "outcome", "started_at"})


class RunCost(Model):
    """What a run took, so far."""

    #: Calls to apps and other hosts.
    calls: int
    #: Milliseconds in which code of its steps ran, without tries that a crash interrupted.
    code_ms: int
    #: How often steps were begun.
    code_runs: int
    received_bytes: int
    sent_bytes: int

    _required = frozenset({"calls", "code_ms", "code_runs", "received_bytes", "sent_bytes"})


class TriedView(Model):
    """A try of a step that another one followed, or will. At most 32 KiB are kept of each."""

    #: Calls to apps, each with method, host, path, status and more.
    calls: List[Dict[str, Any]]
    duration_ms: int
    ended_at: datetime
    #: Why it failed; null where it asked to be run again.
    error: Optional[Dict[str, Any]]
    os: List[RunObservation]
    started_at: datetime

    _read = {
        "ended_at": when,
        "os": many(RunObservation),
        "started_at": when,
    }
    _required = frozenset({"calls", "duration_ms", "ended_at", "os", "started_at"})
    _optional = frozenset({"error"})


class WorkflowStep(Model):
    """A step that is over. Secrets of the run are blacked out in all of it."""

    #: Which accounts it got, and by which rule.
    accounts: List[Dict[str, Any]]
    #: Calls to apps, each with method, host, path, status and more.
    calls: List[Dict[str, Any]]
    duration_ms: int
    ended_at: datetime
    error: Optional[Dict[str, Any]]
    exports: Dict[str, Any]
    name: str
    os: List[RunObservation]
    #: What it was configured with.
    props: Dict[str, Any]
    started_at: datetime
    #: ``ok``, ``skipped`` or ``failed``.
    state: str
    #: Its tries before the last one that failed, or asked to be run again; the latest 20.
    tried: List[TriedView]
    #: How often it was begun. A try that a crash interrupted counts, and has left nothing more.
    tries: int

    _read = {
        "ended_at": when,
        "os": many(RunObservation),
        "started_at": when,
        "tried": many(TriedView),
    }
    _required = frozenset(
        {
            "accounts",
            "calls",
            "duration_ms",
            "ended_at",
            "exports",
            "name",
            "os",
            "props",
            "started_at",
            "state",
            "tried",
            "tries",
        }
    )
    _optional = frozenset({"error"})


class WholeWorkflowRun(Model):
    """A run with all that is known of it."""

    #: What started it: ``http``, ``call``, ``timer``, ``trigger``, ``flow``, ``error`` or
    #: ``replay``.
    cause: str
    created_at: datetime
    duration_ms: Optional[int]
    ended_at: Optional[datetime]
    external_user_id: str
    id: str
    #: The run that it repeats, or whose failure or step started it.
    of_run: Optional[str]
    #: Once it has ended: ``ok``, ``exit``, ``failed``, ``cancelled``, ``expired``, or ``not_run``.
    outcome: Optional[str]
    started_at: Optional[datetime]
    #: ``queued``, ``running``, ``waiting`` or ``ended``.
    state: str
    version: int
    workflow_id: str
    cost: RunCost
    error: Optional[Dict[str, Any]]
    #: What started it.
    event: Optional[Dict[str, Any]]
    #: Why it ended.
    reason: Optional[str]
    #: Its steps that are over, in their order.
    steps: List[WorkflowStep]
    #: Tries so far of the step that is next.
    tried: List[TriedView]
    #: What it waits for, while it does: ``suspend`` (somebody), ``delay``, ``rerun`` or ``retry``.
    waits: Optional[str]

    _read = {
        "created_at": when,
        "ended_at": when,
        "started_at": when,
        "cost": RunCost,
        "steps": many(WorkflowStep),
        "tried": many(TriedView),
    }
    _required = frozenset(
        {
            "cause",
            "created_at",
            "external_user_id",
            "id",
            "state",
            "version",
            "workflow_id",
            "cost",
            "steps",
            "tried",
        }
    )
    _optional = frozenset(
        {
            "duration_ms",
            "ended_at",
            "of_run",
            "outcome",
            "started_at",
            "error",
            "event",
            "reason",
            "waits",
        }
    )


class UsageSpan(Model):
    """What was used within a span of time, in credits."""

    action_run_credits_used: int
    credits_used: int
    proxy_credits_used: int
    source_emit_credits_used: int
    usage_end_ts: int
    #: Seconds since 1970.
    usage_start_ts: int

    _required = frozenset(
        {
            "action_run_credits_used",
            "credits_used",
            "proxy_credits_used",
            "source_emit_credits_used",
            "usage_end_ts",
            "usage_start_ts",
        }
    )


class ProjectUsage(Model):
    """What a project used within a span of time."""

    #: Runs of actions, also as steps of workflows.
    action_runs: int
    #: Accounts connected, or connected again.
    connects: int
    end: str
    end_ts: int
    #: Calls to apps through the proxy, whatever the app answered.
    proxy_calls: int
    #: Tokens refreshed.
    refreshes: int
    #: Events that triggers made.
    source_emits: int
    #: ISO 8601.
    start: str
    #: Seconds since 1970.
    start_ts: int
    #: Accounts whose credentials were handed out.
    vends: int

    _required = frozenset(
        {
            "action_runs",
            "connects",
            "end",
            "end_ts",
            "proxy_calls",
            "refreshes",
            "source_emits",
            "start",
            "start_ts",
            "vends",
        }
    )


class RateLimit(Model):
    """A limit of your own; its token is for ``rate_limit`` of a client or a call."""

    #: ISO 8601.
    created_at: datetime
    requests_per_window: int
    #: What requests send as ``x-pd-rate-limit``. It is a name, and opens nothing.
    token: str
    window_size_seconds: int

    _read = {
        "created_at": when,
    }
    _required = frozenset({"created_at", "requests_per_window", "token", "window_size_seconds"})
    _secret = frozenset({"token"})


class StashedFile(Model):
    """A file that was taken in."""

    bytes: int
    #: When the file goes: a day after it came.
    expires_at: datetime
    #: Opens the file without a bearer, for half an hour.
    get_url: str
    #: Names the file in ``download``.
    s3_key: str
    #: Names the stash; further files may join it.
    stash_id: str

    _read = {
        "expires_at": when,
    }
    _required = frozenset({"bytes", "expires_at", "get_url", "s3_key", "stash_id"})
    _secret = frozenset({"get_url"})
