"""What ``docs/openapi.json`` does not say: how calls and models are named here, and what is inside
of answers that the document leaves open. Read by ``generate.py``; written by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Tuple

Schema = Mapping[str, object]
Query = Tuple[Tuple[str, Schema, bool], ...]


@dataclass(frozen=True)
class Own:
    """A call that the document leaves open, or has not got yet."""

    doc: str
    #: Name, JSON schema, required.
    query: Query = ()
    #: Schema of the body, by its name in ``SCHEMAS``.
    body: Optional[str] = None
    #: Schema of the answer, by its name in ``SCHEMAS``; with ``[]`` behind it a list of these, with
    #: ``*`` a list page by page.
    gives: Optional[str] = None
    #: Whether it holds only until the document has the call.
    until: bool = False


@dataclass(frozen=True)
class Operation:
    """One call."""

    #: Resource and method: ``accounts.list``.
    name: str
    #: Names of path parameters here, in the order of the path.
    parts: Tuple[str, ...] = ()
    #: The path, where the document's has a rest in it that this client splits.
    path: Optional[str] = None
    #: The field of the answer that is the answer.
    unwrap: Optional[str] = None
    #: Whether what is unwrapped may be missing.
    maybe: bool = False
    #: The parameter that is the call's bearer.
    bearer: Optional[str] = None
    #: Body fields that hold a JSON text, with the parameter that is made that text.
    texts: Mapping[str, str] = field(default_factory=dict)
    #: In the place of what the document says, where that is open: see ``OWN``.
    own: Optional[Own] = None
    #: A POST that does no harm when it is done twice.
    repeatable: bool = False
    #: When a PUT is sent once only, in Python: its answer comes once, or it fails the second time.
    once: str = ""


TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}


def texts() -> Schema:
    return {"type": "array", "items": TEXT}


def nullable(kind: str, about: str = "") -> Schema:
    return {"type": [kind, "null"], "description": about}


PAGED: Query = (("limit", WHOLE, False), ("after", TEXT, False), ("before", TEXT, False))
USER: Query = (("external_user_id", TEXT, True),)

#: Methods of a client whose calls another part of it makes, and why they have none of their own.
ELSEWHERE: Mapping[str, str] = {
    "POST /v1/oauth/token": "credentials.py gets tokens by itself",
    **{
        f"{method} /v1/connect/{{}}/proxy": "_async/proxy.py: bodies that come while they are read"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    **{
        f"{method} /v1/connect/{{}}/proxy/{{}}": "the same, for clients that put the target there"
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    },
    "GET /v1/connect/{}/file_stash/download": "_async/stash.py: a body that comes as it is read",
    "POST /v1/connect/{}/file_stash": "_async/stash.py: a body that goes as it is read",
}

#: Names of the older paths, which do the same as others.
OLDER: Tuple[str, ...] = (
    "/v1/apps",
    "/v1/apps/{}",
    "/v1/app_categories",
    "/v1/app_categories/{}",
    "/v1/connect/{}/components/triggers/deploy",
)


def _components(kind: str) -> Dict[str, Operation]:
    """The calls that components, actions and triggers have alike."""
    about = {"components": "actions and triggers", "actions": "actions", "triggers": "triggers"}
    registry = ("registry", {"type": "string", "enum": ["public", "private", "all"]}, False)
    query: Query = (("app", TEXT, False), ("q", TEXT, False), registry, *PAGED)
    if kind == "components":
        query = (
            ("component_type", {"type": "string", "enum": ["trigger", "action"]}, False),
            *query,
        )
    at = f"/v1/connect/{{}}/{kind}"
    listing = Own(f"Lists {about[kind]} that can be configured.", query, gives="Component*")
    one = Own("Gives one by its key.", (("version", TEXT, False),), gives="Component")
    values = Own(
        "Gives the values that a field can have. Failures of its code are in ``errors``.",
        body="ConfigureWish",
        gives="ConfiguredField",
    )
    props = Own(
        "Gives the fields that the choices so far bring with them.",
        body="ReloadWish",
        gives="ReloadedFields",
    )
    return {
        f"GET {at}": Operation(f"{kind}.list", own=listing),
        f"GET {at}/{{}}": Operation(f"{kind}.retrieve", ("key",), unwrap="data", own=one),
        f"POST {at}/configure": Operation(f"{kind}.configure", own=values),
        f"POST {at}/props": Operation(f"{kind}.reload_props", own=props),
    }


def _deployed() -> Dict[str, Operation]:
    """What runs for a user by itself."""
    at = "/v1/connect/{}/deployed-triggers"
    one, hook = ("trigger_id",), ("trigger_id", "webhook_id")
    kinds = (
        "emitter_type",
        {"type": "string", "enum": ["email", "http", "source", "timer"]},
        False,
    )

    def own(
        doc: str, query: Query = USER, body: Optional[str] = None, gives: Optional[str] = None
    ) -> Own:
        return Own(doc, query, body, gives)

    return {
        f"GET {at}": Operation(
            "deployed_triggers.list",
            own=own(
                "Lists what was deployed for a user.",
                query=(*USER, kinds, *PAGED),
                gives="DeployedTrigger*",
            ),
        ),
        f"GET {at}/{{}}": Operation(
            "deployed_triggers.retrieve",
            one,
            unwrap="data",
            own=own("Gives one.", gives="DeployedTrigger"),
        ),
        f"PUT {at}/{{}}": Operation(
            "deployed_triggers.update",
            one,
            unwrap="data",
            own=own(
                "Changes one. What is left out stays.",
                body="TriggerChange",
                gives="DeployedTrigger",
            ),
        ),
        f"DELETE {at}/{{}}": Operation(
            "deployed_triggers.delete",
            one,
            own=own(
                "Takes one away. ``ignore_hook_errors``: also when its code fails at it.",
                query=(*USER, ("ignore_hook_errors", FLAG, False)),
            ),
        ),
        f"GET {at}/{{}}/events": Operation(
            "deployed_triggers.events",
            one,
            unwrap="data",
            own=own(
                "Gives its latest events; ``n`` of at most 100.",
                query=(*USER, ("n", WHOLE, False)),
                gives="TriggerEvent[]",
            ),
        ),
        f"GET {at}/{{}}/pipelines": Operation(
            "deployed_triggers.workflows",
            one,
            own=own("Tells which workflows it starts.", gives="TriggerWorkflows"),
        ),
        f"PUT {at}/{{}}/pipelines": Operation(
            "deployed_triggers.update_workflows",
            one,
            own=own(
                "Sets which workflows it starts.",
                body="TriggerWorkflowsWish",
                gives="TriggerWorkflows",
            ),
        ),
        f"GET {at}/{{}}/webhooks": Operation(
            "deployed_triggers.webhooks",
            one,
            own=own("Tells where it posts to.", gives="TriggerWebhooks"),
        ),
        f"PUT {at}/{{}}/webhooks": Operation(
            "deployed_triggers.update_webhooks",
            one,
            own=own(
                "Sets where it posts to. Addresses that stay keep their key.",
                body="TriggerWebhooksWish",
                gives="TriggerWebhooks",
            ),
        ),
        f"GET {at}/{{}}/webhooks/{{}}": Operation(
            "deployed_triggers.retrieve_webhook",
            hook,
            unwrap="data",
            own=own("Gives one of its addresses, with the key.", gives="TriggerWebhook"),
        ),
        f"POST {at}/{{}}/webhooks/{{}}/regenerate_signing_key": Operation(
            "deployed_triggers.regenerate_webhook_signing_key",
            hook,
            unwrap="data",
            own=own("Makes its key anew.", gives="TriggerWebhook"),
        ),
        f"POST {at}/{{}}/webhooks/{{}}/reset_delivery_state": Operation(
            "deployed_triggers.reset_webhook_delivery_state",
            hook,
            unwrap="data",
            own=own("Starts afresh with one that was switched off.", gives="TriggerWebhook"),
        ),
    }


def _webhook() -> Dict[str, Operation]:
    """The one webhook of project and environment, as older clients know it."""
    at = "/v1/connect/{}/webhook"
    return {
        f"GET {at}": Operation("project_environment.retrieve_webhook", unwrap="data", maybe=True),
        f"PUT {at}": Operation("project_environment.update_webhook", unwrap="data", once="True"),
        f"DELETE {at}": Operation("project_environment.delete_webhook"),
        f"POST {at}/regenerate_signing_key": Operation(
            "project_environment.regenerate_webhook_signing_key", unwrap="data"
        ),
        f"POST {at}/reset_delivery_state": Operation(
            "project_environment.reset_webhook_delivery_state", unwrap="data"
        ),
    }


def _webhooks() -> Dict[str, Operation]:
    at = "/v1/connect/{}/webhooks"
    one = ("webhook_id",)
    return {
        f"GET {at}": Operation("webhooks.list", unwrap="data"),
        f"POST {at}": Operation("webhooks.create"),
        f"GET {at}/deliveries": Operation("webhooks.deliveries"),
        f"POST {at}/replay": Operation("webhooks.replay"),
        f"GET {at}/{{}}": Operation("webhooks.retrieve", one),
        f"PATCH {at}/{{}}": Operation("webhooks.update", one),
        f"DELETE {at}/{{}}": Operation("webhooks.delete", one),
        f"POST {at}/{{}}/reset": Operation("webhooks.reset", one),
        f"POST {at}/{{}}/rotate": Operation("webhooks.rotate", one),
        f"POST {at}/{{}}/test": Operation("webhooks.test", one),
    }


def _accounts() -> Dict[str, Operation]:
    at = "/v1/connect/{}/accounts"
    one = ("account_id",)
    return {
        f"GET {at}": Operation("accounts.list"),
        f"POST {at}": Operation(
            "accounts.create", bearer="connect_token", texts={"cfmap_json": "fields"}
        ),
        f"GET {at}/{{}}": Operation("accounts.retrieve", one),
        f"PATCH {at}/{{}}": Operation("accounts.update", one),
        f"DELETE {at}/{{}}": Operation("accounts.delete", one),
        f"GET {at}/{{}}/health": Operation("accounts.health", one),
        f"POST {at}/{{}}/refresh": Operation("accounts.refresh", one),
        f"GET {at}/{{}}/revocation": Operation("accounts.revocation", one),
        "DELETE /v1/connect/{}/apps/{}/accounts": Operation("accounts.delete_by_app", ("app",)),
        "GET /v1/connect/{}/users/{}": Operation(
            "accounts.list_by_external_user",
            ("external_user_id",),
            path="/v1/connect/{project}/users/{external_user_id}/accounts",
        ),
    }


def _registered() -> Dict[str, Operation]:
    """What projects keep for their apps: five calls each."""
    made: Dict[str, Operation] = {}
    for name, part, replace in (
        ("oauth_apps", "oauth_app_id", "update"),
        ("app_overrides", "app_override_id", "update"),
        ("custom_apps", "slug", "replace"),
    ):
        at = f"/v1/connect/{{}}/{name}"
        made[f"GET {at}"] = Operation(f"{name}.list")
        made[f"POST {at}"] = Operation(f"{name}.create")
        made[f"GET {at}/{{}}"] = Operation(f"{name}.retrieve", (part,))
        once = "bool(version)" if name == "custom_apps" else ""
        made[f"PUT {at}/{{}}"] = Operation(f"{name}.{replace}", (part,), once=once)
        made[f"DELETE {at}/{{}}"] = Operation(f"{name}.delete", (part,))
    made["POST /v1/connect/{}/custom_apps/discover"] = Operation("custom_apps.discover")
    return made


def _projects() -> Dict[str, Operation]:
    at = "/v1/connect/projects"
    one = ("project_id",)
    return {
        f"GET {at}": Operation("projects.list"),
        f"POST {at}": Operation("projects.create"),
        f"GET {at}/{{}}": Operation("projects.retrieve", one),
        f"PATCH {at}/{{}}": Operation("projects.update", one),
        f"DELETE {at}/{{}}": Operation("projects.delete", one),
        f"POST {at}/{{}}/logo": Operation("projects.update_logo", one),
        "GET /v1/connect/{}/projects/info": Operation("projects.retrieve_info"),
        "GET /v1/connect/{}/freeze": Operation("freeze.retrieve"),
        "PUT /v1/connect/{}/freeze": Operation("freeze.begin"),
        "DELETE /v1/connect/{}/freeze": Operation("freeze.end"),
    }


def _watched() -> Dict[str, Operation]:
    """What was used, and limits of one's own."""
    span: Query = (("start_ts", WHOLE, True), ("end_ts", WHOLE, True))
    by = ("by", {"type": "string", "enum": ["day", "hour"]}, False)
    limits = "/v1/connect/rate_limits"

    def own(
        doc: str, gives: Optional[str] = None, query: Query = (), body: Optional[str] = None
    ) -> Own:
        return Own(doc, query, body, gives, until=True)

    return {
        "GET /v1/connect/usage": Operation(
            "usage.list",
            unwrap="data",
            own=own("What was used, from and to seconds since 1970.", "UsageSpan[]", span),
        ),
        "GET /v1/connect/{}/usage": Operation(
            "usage.of_project",
            unwrap="data",
            own=own("What the project used in its environment.", "ProjectUsage[]", (*span, by)),
        ),
        f"POST {limits}": Operation(
            "rate_limits.create",
            own=own("Makes a limit of your own.", "RateLimit", body="RateLimitWant"),
        ),
        f"GET {limits}": Operation(
            "rate_limits.list", own=own("Lists your own limits.", "RateLimit*", PAGED)
        ),
        f"DELETE {limits}/{{}}": Operation(
            "rate_limits.delete", ("token",), own=own("Deletes a limit of your own.")
        ),
    }


def _workflows() -> Dict[str, Operation]:
    """Steps that follow each other, and their runs."""
    at, runs = "/v1/connect/{}/workflows", "/v1/connect/{}/workflow-runs"
    named, run = ("workflow",), ("run_id",)
    return {
        f"GET {at}": Operation("workflows.list"),
        f"POST {at}": Operation("workflows.deploy"),
        f"GET {at}/{{}}": Operation("workflows.retrieve", named, unwrap="data"),
        f"DELETE {at}/{{}}": Operation("workflows.delete", named),
        f"POST {at}/{{}}/invoke": Operation("workflows.invoke", named, unwrap="data"),
        f"GET {runs}": Operation("workflow_runs.list"),
        f"GET {runs}/{{}}": Operation("workflow_runs.retrieve", run, unwrap="data"),
        f"POST {runs}/{{}}/replay": Operation("workflow_runs.replay", run, unwrap="data"),
        f"POST {runs}/{{}}/cancel": Operation("workflow_runs.cancel", run, unwrap="data"),
    }


OPERATIONS: Mapping[str, Operation] = {
    "GET /v1/connect/apps": Operation("apps.list"),
    "GET /v1/connect/apps/{}": Operation("apps.retrieve", ("app",), unwrap="data"),
    "GET /v1/connect/app_categories": Operation("app_categories.list"),
    "GET /v1/connect/app_categories/{}": Operation("app_categories.retrieve", ("category_id",)),
    "POST /v1/connect/{}/tokens": Operation("tokens.create"),
    "GET /v1/connect/tokens/{}/validate": Operation("tokens.validate", ("token",)),
    "POST /v1/connect/{}/flows/{}/confirm": Operation("flows.confirm", ("flow_id",)),
    "GET /v1/connect/{}/users": Operation("users.list"),
    "DELETE /v1/connect/{}/users/{}": Operation("users.delete", ("external_user_id",)),
    "GET /v1/connect/{}/erasures/{}": Operation("users.erasure", ("erasure_id",)),
    **_accounts(),
    **_registered(),
    **_projects(),
    **_webhooks(),
    **_webhook(),
    **_components("components"),
    "POST /v1/connect/{}/components": Operation("components.publish", unwrap="data"),
    "DELETE /v1/connect/{}/components/{}": Operation("components.delete", ("key",)),
    "GET /v1/connect/{}/runs": Operation("runs.list"),
    "GET /v1/connect/{}/runs/{}": Operation("runs.retrieve", ("run_id",), unwrap="data"),
    **_components("actions"),
    **_components("triggers"),
    "POST /v1/connect/{}/actions/run": Operation(
        "actions.run",
        own=Own(
            "Runs an action for a user. Failures of its code are in ``os``.",
            body="RunWish",
            gives="RunResult",
        ),
    ),
    "POST /v1/connect/{}/triggers/deploy": Operation(
        "triggers.deploy",
        unwrap="data",
        own=Own(
            "Deploys a trigger for a user; each call makes a new one.",
            body="DeployWish",
            gives="DeployedTrigger",
        ),
    ),
    **_deployed(),
    **_workflows(),
    **_watched(),
}

#: Calls that are there without a project too, for credentials that say which one is meant.
WITHOUT_PROJECT = frozenset(
    {
        "GET /v1/connect/{}/accounts",
        "POST /v1/connect/{}/accounts",
        "GET /v1/connect/{}/accounts/{}",
        "PATCH /v1/connect/{}/accounts/{}",
        "DELETE /v1/connect/{}/accounts/{}",
        "GET /v1/connect/{}/accounts/{}/health",
        "POST /v1/connect/{}/accounts/{}/refresh",
        "GET /v1/connect/{}/accounts/{}/revocation",
        "DELETE /v1/connect/{}/apps/{}/accounts",
        "GET /v1/connect/{}/users",
        "GET /v1/connect/{}/users/{}",
        "DELETE /v1/connect/{}/users/{}",
        "POST /v1/connect/{}/tokens",
        "POST /v1/connect/{}/flows/{}/confirm",
        "GET /v1/connect/{}/projects/info",
        *(
            call.format(kind)
            for kind in ("components", "actions", "triggers")
            for call in (
                "GET /v1/connect/{{}}/{}",
                "GET /v1/connect/{{}}/{}/{{}}",
                "POST /v1/connect/{{}}/{}/configure",
                "POST /v1/connect/{{}}/{}/props",
            )
        ),
        "POST /v1/connect/{}/actions/run",
        "POST /v1/connect/{}/triggers/deploy",
        "GET /v1/connect/{}/deployed-triggers",
        "GET /v1/connect/{}/deployed-triggers/{}",
        "PUT /v1/connect/{}/deployed-triggers/{}",
        "DELETE /v1/connect/{}/deployed-triggers/{}",
        "GET /v1/connect/{}/deployed-triggers/{}/events",
        "GET /v1/connect/{}/deployed-triggers/{}/pipelines",
        "PUT /v1/connect/{}/deployed-triggers/{}/pipelines",
        "GET /v1/connect/{}/deployed-triggers/{}/webhooks",
        "PUT /v1/connect/{}/deployed-triggers/{}/webhooks",
    }
)

#: Schemas of the document under the names that they have here.
MODELS: Mapping[str, str] = {
    "AccountView": "Account",
    "AppView": "App",
    "CategoryView": "AppCategory",
    "ConfirmAnswer": "ConfirmedAccount",
    "CustomAppView": "CustomApp",
    "DeliveryView": "WebhookDelivery",
    "DiscoveryAnswer": "Discovery",
    "EndpointView": "WebhookEndpoint",
    "ErasureView": "Erasure",
    "EvidenceView": "AppEvidence",
    "FreezeView": "FreezeState",
    "HealthView": "AccountHealth",
    "Attempt": "RefreshAttempt",
    "OAuthAppView": "OAuthApp",
    "OverrideView": "AppOverride",
    "ProbeView": "WebhookTest",
    "ProblemView": "CustomAppProblem",
    "ProjectView": "Project",
    "ProxyView": "AppProxy",
    "ReplayView": "Replay",
    "RevocationView": "Revocation",
    "ScopeProfileView": "ScopeProfile",
    "RunView": "ComponentRun",
    "NewFile": "ComponentFile",
    "Observation": "RunObservation",
    "TokenAnswer": "ConnectToken",
    "UserView": "User",
    "Validation": "TokenValidation",
    "WebhookView": "Webhook",
    "WorkflowView": "Workflow",
    "WorkflowRunView": "WorkflowRun",
    "WholeRunView": "WholeWorkflowRun",
    "PastStepView": "WorkflowStep",
    "Credits": "UsageSpan",
    "UsageView": "ProjectUsage",
    "RateLimitView": "RateLimit",
    "Condition": "DeliveryCondition",
    "Progress": "DeliveryProgress",
    "Outcome": "RevocationOutcome",
    "Topic": "WebhookTopic",
}

#: What each resource is.
RESOURCES: Mapping[str, str] = {
    "accounts": "Users' connections to apps",
    "actions": "Actions: components that are run",
    "app_categories": "Categories of apps",
    "app_overrides": "Values that users are not asked for",
    "apps": "Apps that accounts can be connected to",
    "components": "Actions and triggers alike",
    "custom_apps": "Apps that the project describes for itself",
    "deployed_triggers": "Triggers that run for a user",
    "flows": "Connections that wait for your backend's word",
    "freeze": "The switch for emergencies: no credentials are handed out",
    "oauth_apps": "The project's own clients at apps",
    "project_environment": "The one webhook of project and environment, as older clients know it",
    "projects": "Projects: one for each product of yours",
    "rate_limits": "Limits of your own",
    "runs": "What was run lately, for whom, and what came of it",
    "tokens": "Connect tokens: each for one user and one account",
    "triggers": "Triggers: components that wait for something to happen",
    "usage": "What was used",
    "users": "Your users, as far as they are known here",
    "workflow_runs": "Runs of workflows, step by step",
    "workflows": "Steps that follow each other, each named by its id or its name",
    "webhooks": "Endpoints for news, and what became of it; ``verify_webhook`` checks what arrives",
}

#: What calls do, where the document says it of the wire or not at all.
DOCS: Mapping[str, str] = {
    "GET /v1/connect/app_categories": "Lists all categories.",
    "GET /v1/connect/{}/users/{}": "Lists all accounts of a user at once.",
    "POST /v1/connect/{}/accounts/{}/refresh": (
        "Refreshes an account's access token now, however long it would last."
    ),
    "POST /v1/connect/{}/oauth_apps": (
        "Enters a client. Id and secret may follow by ``update``, since the redirect URI to register "
        "is known only when the client has its own id."
    ),
    "DELETE /v1/connect/{}/app_overrides/{}": (
        "Deletes an override. Accounts that were connected with it stay connected."
    ),
    "GET /v1/connect/{}/projects/info": "Tells which apps the project has clients for.",
    "GET /v1/connect/app_categories/{}": "Gives a category.",
    "GET /v1/connect/projects/{}": "Gives a project.",
    "DELETE /v1/connect/projects/{}": "Deletes a project. There is no way back.",
    "PATCH /v1/connect/projects/{}": "Changes a project. What is left out stays.",
    "POST /v1/connect/projects/{}/logo": "Sets the picture that the connect page shows.",
    "GET /v1/connect/{}/app_overrides": "Lists the project's overrides.",
    "GET /v1/connect/{}/app_overrides/{}": "Gives an override.",
    "PUT /v1/connect/{}/app_overrides/{}": "Changes an override. What is left out stays.",
    "GET /v1/connect/{}/custom_apps/{}": "Gives an app of the project's own, with its file.",
    "GET /v1/connect/{}/oauth_apps": "Lists the project's clients at apps.",
    "GET /v1/connect/{}/oauth_apps/{}": "Gives a client at an app.",
    "PUT /v1/connect/{}/oauth_apps/{}": "Changes a client at an app. What is left out stays.",
    "DELETE /v1/connect/{}/oauth_apps/{}": "Deletes a client at an app.",
    "GET /v1/connect/{}/webhooks/{}": "Gives an endpoint.",
}

#: What models are, where the document says it of the wire or not at all.
ABOUT: Mapping[str, str] = {
    "AccountView": "A user's connection to an app.",
    "AppView": "An app that accounts can be connected to.",
    "Validation": "Whether a connect token is good, and for what.",
    "AppCategory": "A category of apps.",
    "CategoryView": "A category of apps.",
    "Credits": "What was used within a span of time, in credits.",
    "UsageView": "What a project used within a span of time.",
    "RateLimitView": "A limit of your own; its token is for ``rate_limit`` of a client or a call.",
    "ConfiguredApp": "An app that the project has a client for.",
    "ConfirmAnswer": "An account whose person your backend has confirmed.",
    "DiscoveryAnswer": "What became of an address: an app, and a client at it.",
    "ProjectInfo": "Which apps the project has clients for.",
    "ProjectView": "A project.",
    "TokenAnswer": "A connect token, and the link to the connect page.",
    "UserView": "One of your users.",
}

#: Query parameters that ``calls.py`` takes neither empty nor as ``None``.
HOLDING = frozenset(
    {
        "account_id",
        "app",
        "app_id",
        "app_override_id",
        "endpoint",
        "external_user_id",
        "oauth_app_id",
    }
)

#: Fields that are never printed, whatever object they are in, or in the one that is named.
SECRET = frozenset(
    {
        "DeployedTrigger.endpoint_url",
        "DeployedTrigger.key",
        "Workflow.endpoint_url",
        "access_token",
        "bearer_token",
        "client_secret",
        "connect_link_url",
        "credentials",
        "get_url",
        "secret",
        "signing_key",
        "token",
        "webhook_signing_key",
    }
)


def _object(about: str, required: List[str], **fields: Schema) -> Schema:
    return {"type": "object", "description": about, "required": required, "properties": fields}


_CHOSEN: Mapping[str, Schema] = {
    "id": {"type": "string", "description": "The component's key."},
    "external_user_id": TEXT,
    "version": TEXT,
    "configured_props": {"type": "object", "description": "Field name to value."},
    "dynamic_props_id": {"type": "string", "description": "What ``reload_props`` gave."},
}
_NEEDED = ["id", "external_user_id"]
_SEEN: Schema = {"type": "array", "items": OBJECT, "description": "What its code logged."}

#: Schemas that the document leaves open, or has not got yet.
SCHEMAS: Mapping[str, Schema] = {
    "Component": _object(
        "An action or a trigger that can be configured.",
        ["key", "name", "version", "configurable_props"],
        key=TEXT,
        name=TEXT,
        version=TEXT,
        configurable_props={"type": "array", "items": OBJECT},
        description=nullable("string"),
        component_type=nullable("string", "`action` or `trigger`."),
        stash=nullable("string", "Whether it needs files: `optional` or `required`."),
        annotations=nullable("object"),
    ),
    "ConfigureWish": _object(
        "",
        [*_NEEDED, "prop_name"],
        **_CHOSEN,
        prop_name={"type": "string", "description": "The field whose values are wanted."},
        page={"type": "integer", "description": "From 0."},
        prev_context={"type": "object", "description": "The ``context`` of the page before."},
        query={"type": "string", "description": "What the user typed."},
    ),
    "ConfiguredField": _object(
        "The values that a field can have.",
        [],
        options={"type": ["array", "null"], "items": OBJECT},
        stringOptions={"type": ["array", "null"], "items": TEXT},
        observations=_SEEN,
        context=nullable("object", "For the next page."),
        errors={"type": ["array", "null"], "items": TEXT},
    ),
    "ReloadWish": _object("", _NEEDED, **_CHOSEN),
    "ReloadedFields": _object(
        "All fields, with those that the choices bring.",
        [],
        observations=_SEEN,
        errors={"type": ["array", "null"], "items": TEXT},
        dynamicProps=nullable("object", "``id`` and ``configurableProps``."),
    ),
    "RunWish": _object(
        "",
        _NEEDED,
        **_CHOSEN,
        stash_id={"type": ["string", "boolean", "null"], "description": "Empty: a new file stash."},
    ),
    "RunResult": _object(
        "What an action gave.",
        [],
        exports={"type": ["object", "null"], "description": "By name; ``$summary`` is for people."},
        os={"type": ["array", "null"], "items": OBJECT, "description": "What its code logged."},
        ret={"description": "What it returned."},
        stash_id=nullable("string"),
    ),
    "DeployWish": _object(
        "",
        _NEEDED,
        **_CHOSEN,
        workflow_id=TEXT,
        webhook_url=TEXT,
        emit_on_deploy={
            "type": "boolean",
            "description": "Also what happened before; true if absent.",
        },
    ),
    "DeployedTrigger": _object(
        "What runs for a user by itself. Which fields there are depends on ``type``.",
        ["id", "type"],
        id=TEXT,
        type={
            "type": "string",
            "description": "`DeployedComponent`, `HttpInterface` or `TimerInterface`.",
        },
        name=nullable("string"),
        name_slug=nullable("string"),
        active=nullable("boolean"),
        owner_id=nullable("string"),
        component_id=nullable("string"),
        component_key=nullable("string"),
        configurable_props={"type": ["array", "null"], "items": OBJECT},
        configured_props=nullable("object"),
        emit_on_deploy=nullable("boolean"),
        webhook_signing_key=nullable("string"),
        key=nullable("string"),
        endpoint_url=nullable("string"),
        custom_response=nullable("boolean"),
        interval_seconds=nullable("integer"),
        cron=nullable("string"),
        timezone=nullable("string"),
        schedule_changed_at=nullable("integer"),
        created_at=nullable("integer", "Seconds since 1970."),
        updated_at=nullable("integer", "Seconds since 1970."),
    ),
    "TriggerChange": _object(
        "",
        [],
        active=FLAG,
        configured_props=OBJECT,
        name=TEXT,
        emit_on_deploy=FLAG,
    ),
    "TriggerEvent": _object(
        "Something that a trigger saw.",
        ["e", "k", "ts", "id"],
        e={"type": "object", "description": "The event."},
        k=TEXT,
        ts={"type": "integer", "description": "Milliseconds since 1970."},
        id=TEXT,
        sum=nullable("string", "For people."),
    ),
    "TriggerWorkflows": _object(
        "Which workflows a trigger starts.", ["workflow_ids"], workflow_ids=texts()
    ),
    "TriggerWorkflowsWish": _object("", ["workflow_ids"], workflow_ids=texts()),
    "TriggerWebhook": _object(
        "An address that a trigger posts to.",
        ["id", "url", "signing_key_set"],
        id=TEXT,
        url=TEXT,
        signing_key=nullable("string"),
        signing_key_set=FLAG,
        created_at=nullable("integer", "Seconds since 1970."),
        updated_at=nullable("integer", "Seconds since 1970."),
        active=nullable("boolean"),
        delivery_state=nullable("object"),
    ),
    "TriggerWebhooks": _object(
        "Where a trigger posts to.",
        ["webhook_urls", "webhooks"],
        webhook_urls=texts(),
        webhooks={"type": "array", "items": {"$ref": "#/components/schemas/TriggerWebhook"}},
    ),
    "TriggerWebhooksWish": _object("", ["webhook_urls"], webhook_urls=texts()),
}

#: The same, until the document has them.
UNTIL: Mapping[str, Schema] = {
    "UsageSpan": _object(
        "What was used within a span of time, in credits.",
        ["credits_used", "usage_start_ts", "usage_end_ts"],
        credits_used=WHOLE,
        action_run_credits_used=nullable("integer"),
        proxy_credits_used=nullable("integer"),
        source_emit_credits_used=nullable("integer"),
        usage_start_ts={"type": "integer", "description": "Seconds since 1970."},
        usage_end_ts={"type": "integer", "description": "Seconds since 1970."},
    ),
    "ProjectUsage": _object(
        "What a project used within a span of time.",
        ["start_ts", "end_ts", "proxy_calls", "vends", "connects", "refreshes"],
        start_ts={"type": "integer", "description": "Seconds since 1970."},
        end_ts={"type": "integer", "description": "Seconds since 1970."},
        proxy_calls=WHOLE,
        vends=WHOLE,
        connects=WHOLE,
        refreshes=WHOLE,
    ),
    "RateLimitWant": _object(
        "",
        ["window_size_seconds", "requests_per_window"],
        window_size_seconds=WHOLE,
        requests_per_window=WHOLE,
    ),
    "RateLimit": _object(
        "A limit of your own.",
        ["token"],
        token={"type": "string", "description": "For ``rate_limit`` of a client or a call."},
        window_size_seconds=nullable("integer"),
        requests_per_window=nullable("integer"),
    ),
    "StashedFile": _object(
        "A file that is kept for a day.",
        ["s3_key", "stash_id", "get_url", "bytes", "expires_at"],
        s3_key={"type": "string", "description": "Its name, for ``download``."},
        stash_id={"type": "string", "description": "Further files may join it."},
        get_url={"type": "string", "description": "Opens it without a bearer, for half an hour."},
        bytes=WHOLE,
        expires_at=TEXT,
    ),
}
