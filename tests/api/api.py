"""Property-based tests of the API against its own document.

Starts the real binary on an empty store, makes a project with accounts through the API, and has
schemathesis send what the document allows and what it does not. `cargo xtask test --only api` runs
it with everything it needs; its last line is `N passed, N failed`.
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
START_S_MAX = 30
RUN_S_MAX = 300
SEED = "20250101"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def binary():
    named = os.environ.get("GRANTKEEP_BIN")
    if not named or not os.path.isfile(named):
        sys.exit("no grantkeep binary: cargo build, and name it in GRANTKEEP_BIN")
    return named


class Server:
    """The binary on a free port, with a folder of its own."""

    def __init__(self, folder, database_url=None):
        with contextlib.closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        clean = {name: it for name, it in os.environ.items() if not name.startswith("GRANTKEEP_")}
        self.env = {
            **clean,
            "GRANTKEEP_LISTEN": f"127.0.0.1:{port}",
            "GRANTKEEP_PUBLIC_URL": self.url,
            "GRANTKEEP_DATA_DIR": str(folder / "data"),
            "GRANTKEEP_ROOT_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "GRANTKEEP_DEV": "true",
            # Calls with a wrong bearer are a part of this, and all of them come from here.
            "GRANTKEEP_FAILED_AUTH_PER_MINUTE_MAX": "1000000",
            "GRANTKEEP_RATE_LIMITS": "false",
        }
        if database_url:
            self.env["GRANTKEEP_DATABASE_URL"] = database_url
        self.folder = folder
        self.log = folder / "server.log"

    def __enter__(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [binary(), "serve"], cwd=self.folder, env=self.env, stdout=log, stderr=log
            )
        end = time.monotonic() + START_S_MAX
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return self
            time.sleep(0.05)
        self.__exit__()
        sys.exit("the server does not start:\n" + self.log.read_text())

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cli(self, *words):
        ran = subprocess.run(
            [binary(), "--json", *words], cwd=self.folder, env=self.env, check=True, capture_output=True
        )
        return json.loads(ran.stdout)

    def call(self, method, path, body=None, bearer=None):
        headers = {"content-type": "application/json", "x-pd-environment": "development"}
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class World:
    """A project with a key app's accounts, an OAuth client, users and tokens."""

    def __init__(self, server):
        self.server = server
        self.project = server.cli("project", "create", "Acme", "--compat")["id"]
        client = server.cli("client", "create", "backend", "--credentials", "--proxy")
        asked = {"grant_type": "client_credentials", "scope": ""}
        asked |= {name: client[name] for name in ("client_id", "client_secret")}
        self.bearer = server.call("POST", "/v1/oauth/token", asked)["access_token"]
        self.within = f"/v1/connect/{self.project}"
        wish = {"app": "github", "client_id": "an id", "client_secret": "not a real one"}
        made = server.call("POST", f"{self.within}/oauth_apps", wish, self.bearer)
        self.oauth_app = made["id"]
        self.accounts = [self.account(f"user-{nth}") for nth in range(4)]
        wish = {"url": "https://hooks.acme.example/news"}
        self.webhook = server.call("POST", f"{self.within}/webhooks", wish, self.bearer)["id"]
        self.deleted = self.account("user-9")
        server.call("DELETE", f"{self.within}/accounts/{self.deleted}", None, self.bearer)
        definition = {"definition": PARCELS}
        server.call("POST", f"{self.within}/custom_apps", definition, self.bearer)
        wish = {"app": "parcels", "name": "Europe", "cfmap": {"region": "eu"}}
        made = server.call("POST", f"{self.within}/app_overrides", wish, self.bearer)
        self.override = made["id"]
        logo = f"/v1/connect/projects/{self.project}/logo"
        server.call("POST", logo, {"logo": PNG}, self.bearer)

    def token(self, user):
        wish = {"external_user_id": user, "allowed_origins": ["https://acme.example"]}
        return self.server.call("POST", f"{self.within}/tokens", wish, self.bearer)["token"]

    def account(self, user):
        fields = json.dumps({"api_key": "not a real one"})
        wish = {"app_slug": KEY_APP, "cfmap_json": fields, "name": user}
        return self.server.call("POST", f"{self.within}/accounts", wish, self.token(user))["id"]

    def known(self, user, deleting=False):
        nth = int(user.rsplit("-", 1)[1])
        rest = user if deleting else f"{user}/accounts"
        token = self.token(user)
        places = {
            "/revocation": {"account": self.deleted, "project": self.project},
            "/projects/{id}": {"id": self.project},
            "/oauth_apps/{id}": {"id": self.oauth_app},
            "/custom_apps/{slug}": {"slug": "parcels", "project": self.project},
            "/app_overrides/{id}": {"id": self.override, "project": self.project},
            "/webhooks/{id}": {"id": self.webhook, "project": self.project},
            "/app_categories/": {"id": self.category()},
            "/accounts/{account}": {"account": self.accounts[nth], "project": self.project},
            "/connect/apps/{app}": {"app": "github"},
            "/apps/{app}/accounts": {"app": KEY_APP, "project": self.project},
            "/tokens/{token}": {"token": token},
            "/users/{*rest}": {"*rest": rest, "project": self.project},
            "/{project}/": {"project": self.project},
        }
        return {"user": user, "places": places}

    def category(self):
        found = self.server.call("GET", "/v1/connect/app_categories", None, self.bearer)
        return found[0]["id"]


# An app of the project's own.
PARCELS = """
slug = "parcels"
name = "Parcels"
description = "Parcels, tracked."
homepage = "https://parcels.example"
categories = []
popularity = 0
purpose = "see your parcels"
auth = "keys"
[[fields]]
name = "region"
label = "Region"
[[fields]]
name = "api_key"
label = "API key"
kind = "password"
[evidence]
confirmed = 1
checked_on = "2026-11-26"
"""

# An app with one field, `api_key`.
KEY_APP = "sendgrid"

# The call that uses a connect token up.
CONNECTING = "POST /v1/connect/{project}/accounts"


def runs(world):
    """Name, bearer, what is known, examples for each operation, and further options."""
    # No test calls anybody outside; these are for calling.
    inside = ["--exclude-path-regex", "/proxy|/discover"]
    client = ["--exclude-method", "DELETE", *inside]
    yield "client", world.bearer, world.known("user-0"), 25, client
    # A connect token has its environment in itself and needs no header.
    browser = ["--exclude-checks", "missing_required_header"]
    # What it may call, and what it may not, but nothing that ends it.
    connect = ["--include-path-regex", "accounts|apps|users|info", *browser]
    connect += ["--exclude-method", "DELETE", "--exclude-method", "POST"]
    yield "connect", world.token("user-1"), world.known("user-1"), 5, connect
    # The runs above may have had keys tried out at the app. No test calls anybody outside.
    wish = {"connect_require_key_auth_test": False}
    world.server.call("PATCH", f"/v1/connect/projects/{world.project}", wish, world.bearer)
    # Last, because what they do cannot be done twice.
    connecting = ["--include-name", CONNECTING, *browser]
    yield "connecting", world.token("user-2"), world.known("user-2"), 30, connecting
    ending = ["--include-method", "DELETE", *inside]
    yield "ending", world.bearer, world.known("user-3", deleting=True), 15, ending


def schemathesis(server, name, bearer, known, examples, filters):
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    command = [str(program), "--config-file", str(HERE / "schemathesis.toml"), "--no-color", "run"]
    command += [f"{server.url}/openapi.json", "--url", server.url, "--checks", ",".join(CHECKS)]
    command += ["--header", f"Authorization: Bearer {bearer}", "--seed", SEED, "--workers", "1"]
    command += ["--phases", "examples,coverage,fuzzing", "--max-examples", str(examples)]
    command += ["--request-timeout", "20", *filters]
    env = {**server.env, "GRANTKEEP_API_KNOWN": json.dumps(known), "PYTHONPATH": str(HERE)}
    env["SCHEMATHESIS_HOOKS"] = "hooks"
    begun = time.monotonic()
    ran = subprocess.run(
        command, cwd=server.folder, env=env, capture_output=True, text=True, timeout=RUN_S_MAX
    )
    print(f"== {name}, {time.monotonic() - begun:.1f} s\n{ran.stdout}{ran.stderr}", flush=True)
    return ran.returncode, ran.stdout


def counts(output):
    """Cases that went well, and the failures that differ."""
    cases = re.search(r"^\s*(\d+) generated", output, re.M)
    failed = re.search(r"(\d+) unique failure", output)
    return int(cases[1]) if cases else 0, int(failed[1]) if failed else 0


def main():
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="grantkeep-api-") as folder:
        with Server(pathlib.Path(folder)) as server:
            for name, *rest in runs(World(server)):
                code, output = schemathesis(server, name, *rest)
                cases, found = counts(output)
                # A run that ends badly without a failure of its own, or that tried nothing, is one.
                found = max(found, 1 if code or not cases else 0)
                passed, failed = passed + cases - found, failed + found
            if failed:
                print(server.log.read_text()[-4000:])
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
