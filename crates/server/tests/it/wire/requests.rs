//! One request of each method of the clients, as they put it on the wire.

use super::models::{
    ACCESS_TOKEN, ACCOUNT, APP, CATEGORY, CONNECT_TOKEN, OAUTH_APP, OVERRIDE, PROJECT,
    PROJECT_INFO, REFUSAL, Shape, USAGE, USER, VALIDATION, WEBHOOK, WEBHOOK_WITH_KEY,
};
use super::script::{By, Case, case};

use By::{Browser, Nobody, Server};
use Shape::{Bare, BareList, Empty, Error, Foreign, List, Page, Wrapped, WrappedOrNull};

/// On every request of the client for servers and browsers.
pub const SCRIPT: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("content-type", "application/json"),
    ("user-agent", "sdk/3.1.6"),
    ("x-fern-language", "JavaScript"),
    ("x-fern-sdk-name", "sdk"),
    ("x-fern-sdk-version", "3.1.6"),
    ("x-fern-runtime", "node"),
    ("x-fern-runtime-version", "20.20.2"),
    ("x-pd-environment", "development"),
];

/// On every request of the client for Python, which escapes nothing in a path.
pub const PYTHON: &[(&str, &str)] = &[
    ("accept", "*/*"),
    ("content-type", "application/json"),
    ("user-agent", "sdk/2.3.0"),
    ("x-fern-language", "Python"),
    ("x-fern-platform", "linux/6.1"),
    ("x-fern-runtime", "python/3.12"),
    ("x-fern-sdk-name", "sdk"),
    ("x-fern-sdk-version", "2.3.0"),
    ("x-pd-environment", "development"),
];

/// The first call of any client for servers. The environment is sent and means nothing here.
pub const SIGN_IN: &[Case] =
    &[case("oauthTokens.create", Nobody, "POST /v1/oauth/token", (200, Bare(ACCESS_TOKEN)))
        .body(r#"{"client_id":"{cid}","client_secret":"{sec}","grant_type":"client_credentials"}"#)
        .keep(&[("access_token", "/access_token")])];

/// What is refused, in the form that clients read refusals in.
pub const REFUSED: &[Case] = &[
    case(
        "oauthTokens.create (a wrong secret)",
        Nobody,
        "POST /v1/oauth/token",
        (401, Bare(REFUSAL)),
    )
    .body(r#"{"client_id":"{cid}","client_secret":"no","grant_type":"client_credentials"}"#),
    case(
        "oauthTokens.create (another grant)",
        Nobody,
        "POST /v1/oauth/token",
        (400, Bare(REFUSAL)),
    )
    .body(r#"{"client_id":"{cid}","client_secret":"{sec}","grant_type":"password"}"#),
    case("oauthTokens.create (nothing)", Nobody, "POST /v1/oauth/token", (400, Bare(REFUSAL)))
        .body("{}"),
    case(
        "tokens.create (nobody)",
        Server,
        "POST /v1/connect/{project}/tokens",
        (400, Error("invalid_external_user_id")),
    )
    .body("{}"),
    case(
        "accounts.list (without a bearer)",
        Nobody,
        "GET /v1/connect/{project}/accounts",
        (401, Error("invalid_token")),
    ),
    case(
        "accounts.retrieve (none)",
        Server,
        "GET /v1/connect/{project}/accounts/apn_nothere",
        (404, Error("not_found")),
    ),
    case(
        "accounts.list (of another project)",
        Server,
        "GET /v1/connect/proj_nothere/accounts",
        (404, Error("not_found")),
    ),
    case(
        "accounts.create (by a server)",
        Server,
        "POST /v1/connect/{project}/accounts",
        (401, Error("wrong_token_type")),
    )
    .body(r#"{"app_slug":"sim_keys","cfmap_json":"{}"}"#),
];

pub const TOKENS: &[Case] = &[
    case("tokens.create", Server, "POST /v1/connect/{project}/tokens", (200, Bare(CONNECT_TOKEN)))
        .body(
            r#"{"external_user_id":"ada","allowed_origins":["http://localhost:3000"],
            "expires_in":600,"scope":"connect:accounts:read","webhook_uri":"https://w.example/",
            "success_redirect_uri":"https://s.example/","error_redirect_uri":"https://e.example/",
            "environment_name":"development"}"#,
        )
        .keep(&[("ctok", "/token")]),
    case(
        "tokens.validate",
        Nobody,
        "GET /v1/connect/tokens/{ctok}/validate?app_id=sim_rotating&account_id={account}\
         &oauth_app_id={client}",
        (200, Bare(VALIDATION)),
    ),
    case("tokens.create (least)", Server, "POST /v1/connect/{project}/tokens", CONNECTING)
        .body(r#"{"external_user_id":"ada","async_handle":"abcdefghijkl"}"#)
        .keep(&[("browser_token", "/token")]),
];

const CONNECTING: (u16, Shape) = (200, Bare(CONNECT_TOKEN));

pub const ACCOUNTS: &[Case] = &[
    case(
        "accounts.create",
        Browser,
        "POST /v1/connect/{project}/accounts?external_user_id=ada&oauth_app_id=",
        (200, Bare(ACCOUNT)),
    )
    .body(
        r#"{"app_slug":"sim_keys","cfmap_json":"{\"api_key\":\"sim_live_demo\"}",
        "connect_token":"{browser_token}","name":"n"}"#,
    )
    .keep(&[("key_account", "/id")]),
    case(
        "accounts.list",
        Server,
        "GET /v1/connect/{project}/accounts?external_user_id=ada&oauth_app_id={client}\
         &limit=2&app=sim_rotating&include_credentials=true",
        (200, Page(ACCOUNT)),
    ),
    case(
        "accounts.list (a page of one)",
        Server,
        "GET /v1/connect/{project}/accounts?limit=1",
        (200, Page(ACCOUNT)),
    )
    .keep(&[("cursor", "/page_info/end_cursor")]),
    case(
        "accounts.list (the next page)",
        Server,
        "GET /v1/connect/{project}/accounts?after={cursor}&limit=1",
        (200, Page(ACCOUNT)),
    ),
    case(
        "accounts.retrieve",
        Server,
        "GET /v1/connect/{project}/accounts/{account}?include_credentials=true",
        (200, Bare(ACCOUNT)),
    ),
    case(
        "accounts.listByExternalUser",
        Server,
        "GET /v1/connect/{project}/users/u%201%2F%C3%A9/accounts",
        (200, BareList(ACCOUNT)),
    ),
    case(
        "accounts.delete",
        Server,
        "DELETE /v1/connect/{project}/accounts/{key_account}",
        (204, Empty),
    ),
    case(
        "accounts.deleteByApp",
        Server,
        "DELETE /v1/connect/{project}/apps/sim_static/accounts",
        (204, Empty),
    ),
];

pub const APPS: &[Case] = &[
    case("appCategories.list", Server, "GET /v1/connect/app_categories", (200, BareList(CATEGORY)))
        .keep(&[("category", "/0/id"), ("other_category", "/1/id")]),
    case(
        "appCategories.retrieve",
        Server,
        "GET /v1/connect/app_categories/{category}",
        (200, Bare(CATEGORY)),
    ),
    case(
        "apps.list",
        Server,
        "GET /v1/connect/apps?limit=2&q=sl&sort_key=name&sort_direction=asc\
         &category_ids={category}&category_ids={other_category}&has_components=true\
         &has_actions=true&has_triggers=true",
        (200, Page(APP)),
    ),
    case("apps.list (all)", Server, "GET /v1/connect/apps?limit=100", (200, Page(APP)))
        .keep(&[("app_cursor", "/page_info/end_cursor")]),
    case(
        "apps.list (more)",
        Server,
        "GET /v1/connect/apps?limit=100&after={app_cursor}",
        (200, Page(APP)),
    ),
    case("apps.retrieve", Server, "GET /v1/connect/apps/slack", (200, Wrapped(APP))),
    case("apps.retrieve (none)", Server, "GET /v1/connect/apps/no", (404, Error("app_not_found"))),
];

pub const PROJECTS: &[Case] = &[
    case("projects.list", Server, "GET /v1/connect/projects?limit=1", (200, Page(PROJECT))),
    case("projects.create", Server, "POST /v1/connect/projects", (201, Bare(PROJECT)))
        .body(r#"{"name":"p"}"#)
        .keep(&[("made", "/id")]),
    case("projects.retrieve", Server, "GET /v1/connect/projects/{made}", (200, Bare(PROJECT))),
    case("projects.update", Server, "PATCH /v1/connect/projects/{made}", (200, Bare(PROJECT)))
        .body(r#"{"name":"q"}"#),
    case("projects.updateLogo", Server, "POST /v1/connect/projects/{made}/logo", (200, Empty))
        .body(r#"{"logo":"data:image/png;base64,iVBORw0KGgo="}"#),
    case("projects.delete", Server, "DELETE /v1/connect/projects/{made}", (204, Empty)),
    case(
        "projects.retrieveInfo",
        Server,
        "GET /v1/connect/{project}/projects/info",
        (200, Bare(PROJECT_INFO)),
    ),
];

pub const WEBHOOKS: &[Case] = &[
    case(
        "projectEnvironment.retrieveWebhook (unset)",
        Server,
        "GET /v1/connect/{project}/webhook",
        (200, WrappedOrNull(WEBHOOK)),
    ),
    case(
        "projectEnvironment.updateWebhook",
        Server,
        "PUT /v1/connect/{project}/webhook",
        (200, Wrapped(WEBHOOK_WITH_KEY)),
    )
    .body(r#"{"url":"https://w.example/"}"#),
    case(
        "projectEnvironment.retrieveWebhook",
        Server,
        "GET /v1/connect/{project}/webhook",
        (200, Wrapped(WEBHOOK)),
    ),
    case(
        "projectEnvironment.regenerateWebhookSigningKey",
        Server,
        "POST /v1/connect/{project}/webhook/regenerate_signing_key",
        (200, Wrapped(WEBHOOK_WITH_KEY)),
    ),
    case(
        "projectEnvironment.deleteWebhook",
        Server,
        "DELETE /v1/connect/{project}/webhook",
        (204, Empty),
    ),
];

pub const CLIENTS: &[Case] = &[
    case(
        "oauthApps.list",
        Server,
        "GET /v1/connect/{project}/oauth_apps?limit=1",
        (200, Page(OAUTH_APP)),
    ),
    case(
        "oauthApps.create",
        Server,
        "POST /v1/connect/{project}/oauth_apps",
        (201, Bare(OAUTH_APP)),
    )
    .body(
        r#"{"app":"slack","name":"n","client_id":"i","client_secret":"s","scopes":["a"],
        "additional_scopes":["b"]}"#,
    )
    .keep(&[("oa", "/id")]),
    case(
        "oauthApps.retrieve",
        Server,
        "GET /v1/connect/{project}/oauth_apps/{oa}",
        (200, Bare(OAUTH_APP)),
    ),
    case(
        "oauthApps.update",
        Server,
        "PUT /v1/connect/{project}/oauth_apps/{oa}",
        (200, Bare(OAUTH_APP)),
    )
    .body(r#"{"name":"x"}"#),
    case(
        "appOverrides.create",
        Server,
        "POST /v1/connect/{project}/app_overrides",
        (201, Bare(OVERRIDE)),
    )
    .body(r#"{"app":"sim_tenant","name":"n","cfmap":{"workspace":"acme"}}"#)
    .keep(&[("ao", "/id")]),
    case(
        "appOverrides.list",
        Server,
        "GET /v1/connect/{project}/app_overrides",
        (200, Page(OVERRIDE)),
    ),
    case(
        "appOverrides.retrieve",
        Server,
        "GET /v1/connect/{project}/app_overrides/{ao}",
        (200, Bare(OVERRIDE)),
    ),
    case(
        "appOverrides.update",
        Server,
        "PUT /v1/connect/{project}/app_overrides/{ao}",
        (200, Bare(OVERRIDE)),
    )
    .body("{}"),
    case(
        "appOverrides.delete",
        Server,
        "DELETE /v1/connect/{project}/app_overrides/{ao}",
        (204, Empty),
    ),
    case("oauthApps.delete", Server, "DELETE /v1/connect/{project}/oauth_apps/{oa}", (204, Empty)),
];

/// `/api/echo?b=1?c=2` in base64; the client appends to a query without looking.
pub const PROXY: &[Case] = &[
    case(
        "proxy.get",
        Server,
        "GET /v1/connect/{project}/proxy/L2FwaS9lY2hvP2I9MT9jPTI%3D\
         ?external_user_id=ada&account_id={account}",
        (200, Foreign),
    )
    .with(&[("x-pd-proxy-x-foo", "bar")]),
    case(
        "proxy.post",
        Server,
        "POST /v1/connect/{project}/proxy/L2FwaS9lY2hv?external_user_id=ada&account_id={account}",
        (200, Foreign),
    )
    .with(&[("x-pd-proxy-accept", "text/csv")])
    .body(r#"{"k":1}"#),
    case(
        "proxy.put",
        Server,
        "PUT /v1/connect/{project}/proxy/L2FwaS9lY2hv?external_user_id=ada&account_id={account}",
        (200, Foreign),
    )
    .body("{}"),
    case(
        "proxy.patch",
        Server,
        "PATCH /v1/connect/{project}/proxy/L2FwaS9lY2hv?external_user_id=ada&account_id={account}",
        (200, Foreign),
    )
    .body("{}"),
    case(
        "proxy.delete",
        Server,
        "DELETE /v1/connect/{project}/proxy/L2FwaS9lY2hv?external_user_id=ada&account_id={account}",
        (200, Foreign),
    ),
];

/// What was used, by everybody.
pub const USED: &[Case] =
    &[case("usage.list", Server, "GET /v1/connect/usage?start_ts=1&end_ts=2", (200, List(USAGE)))];

/// The last calls, which leave no user.
pub const USERS: &[Case] = &[
    case("users.list", Server, "GET /v1/connect/{project}/users?limit=1", (200, Page(USER))),
    case(
        "users.deleteExternalUser",
        Server,
        "DELETE /v1/connect/{project}/users/u%201%2F%C3%A9",
        (204, Empty),
    ),
    case("users.delete (by a browser)", Browser, "DELETE /v1/connect/users/ada", (204, Empty)),
];

/// The browser client has no project id: its paths lose a slash, or keep both.
pub const BROWSER: &[Case] = &[
    case(
        "browser accounts.list",
        Browser,
        "GET /v1/connect/accounts?external_user_id=ada",
        (200, Page(ACCOUNT)),
    ),
    case(
        "browser accounts.retrieve",
        Browser,
        "GET /v1/connect/accounts/{account}",
        (200, Bare(ACCOUNT)),
    ),
    case("browser apps.list", Browser, "GET /v1/connect/apps", (200, Page(APP))),
    case(
        "browser projects.retrieveInfo",
        Browser,
        "GET /v1/connect/projects/info",
        (200, Bare(PROJECT_INFO)),
    ),
    case(
        "browser proxy.get",
        Browser,
        "GET /v1/connect//proxy/L2FwaS9tZQ%3D%3D?external_user_id=ada&account_id={account}",
        (200, Foreign),
    ),
];

/// What the client for Python writes otherwise: nothing is escaped, and base64 is that for URLs.
pub const RAW: &[Case] = &[
    case(
        "accounts.list_by_external_user",
        Server,
        "GET /v1/connect/{project}/users/u/1%202/accounts",
        (200, BareList(ACCOUNT)),
    ),
    case(
        "accounts.retrieve (no project)",
        Browser,
        "GET /v1/connect/accounts/{account}",
        (200, Bare(ACCOUNT)),
    ),
    case(
        "proxy.get (padded)",
        Server,
        "GET /v1/connect/{project}/proxy/L2FwaS9tZQ==?external_user_id=ada&account_id={account}",
        (200, Foreign),
    ),
    case(
        "users.delete_external_user",
        Server,
        "DELETE /v1/connect/{project}/users/u/1%202",
        (204, Empty),
    ),
];
