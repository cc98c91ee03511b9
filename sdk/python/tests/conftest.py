"""The real server on a port of its own, with a project, a key app's account and an upstream."""

from __future__ import annotations

import base64
import contextlib
import inspect
import json
import os
import secrets
import socket
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Awaitable, Dict, Iterator, List, TypeVar, Union

import httpx
import pytest

from grantkeep import AsyncGrantkeep, Grantkeep

START_S_MAX = 60
T = TypeVar("T")
Client = Union[Grantkeep, AsyncGrantkeep]

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
name = "api_key"
label = "API key"
kind = "password"
[proxy]
base_url = "{upstream}"
[proxy.headers]
authorization = "Bearer ${{api_key}}"
[evidence]
confirmed = 1
checked_on = "2026-11-26"
"""


async def given(value: Union[T, Awaitable[T]]) -> T:
    """What a call of either client gave."""
    if inspect.isawaitable(value):
        return await value
    return value


@dataclass
class Seen:
    """A request that an app got."""

    method: str
    path: str
    headers: Dict[str, str]
    body: bytes


class Upstream:
    """A pretend app: what came comes back; ``/missing`` is a 404, ``/large`` a megabyte.

    ``/broken`` breaks off.
    """

    def __init__(self) -> None:
        self.seen: List[Seen] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.body()
                headers = {name.lower(): it for name, it in self.headers.items()}
                outer.seen.append(Seen(self.command, self.path, headers, body))
                status = 404 if self.path.startswith("/missing") else 200
                said = b"x" * 1_000_000 if self.path == "/large" else body or b'{"said": "hello"}'
                self.send_response(status)
                self.send_header("content-type", "application/json")
                whole = len(said) + (1 if self.path == "/broken" else 0)
                self.send_header("content-length", str(whole))
                self.end_headers()
                self.wfile.write(said)
                self.close_connection = self.path == "/broken"

            def body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def binary() -> str:
    named = os.environ.get("GRANTKEEP_BIN", "")
    if not os.path.isfile(named):
        pytest.exit("no grantkeep binary: build it, and name it in GRANTKEEP_BIN", 2)
    return os.path.abspath(named)


class Server:
    """The binary on a free port, with a folder of its own."""

    def __init__(self, folder: Path) -> None:
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
            "GRANTKEEP_EGRESS_ALLOW_LOOPBACK": "true",
        }
        self.folder = folder
        self.log = folder / "server.log"

    def start(self) -> None:
        with open(self.log, "wb") as log:
            command = [binary(), "serve"]
            self.process = subprocess.Popen(
                command, cwd=self.folder, env=self.env, stdout=log, stderr=log
            )
        end = time.monotonic() + START_S_MAX
        with httpx.Client() as http:
            while time.monotonic() < end and self.process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    if http.get(f"{self.url}/readyz").is_success:
                        return
                time.sleep(0.02)
        self.stop()
        pytest.exit("the server does not start:\n" + self.log.read_text(), 2)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cli(self, *words: str) -> Any:
        command = [binary(), "--json", *words]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.env, check=True, capture_output=True
        )
        return json.loads(ran.stdout)


@dataclass
class World:
    """A server with a project, and what is needed to call it."""

    server: Server
    upstream: Upstream
    project_id: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def options(self) -> Dict[str, Any]:
        return {
            "project_id": self.project_id,
            "environment": "development",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
        }

    def connect(self, user: str) -> str:
        """Connects an account of the pretend app, and gives its id."""
        with Grantkeep(self.server.url, **self.options) as client:
            made = client.tokens.create(external_user_id=user)
            fields = {"api_key": f"key-of-{user}"}
            return client.accounts.create(
                app_slug="parcels", fields=fields, connect_token=made.token, name=user
            ).id


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    server = Server(tmp_path_factory.mktemp("server"))
    upstream = Upstream()
    server.start()
    try:
        project = server.cli("project", "create", "Acme", "--compat")["id"]
        client = server.cli("client", "create", "backend", "--credentials", "--proxy")
        made = World(server, upstream, project, client["client_id"], client["client_secret"])
        with Grantkeep(server.url, **made.options) as setting_up:
            setting_up.custom_apps.create(definition=PARCELS.format(upstream=upstream.url))
        yield made
    finally:
        server.stop()
        upstream.close()


@pytest.fixture(params=["sync", "async"])
async def client(request: pytest.FixtureRequest, world: World) -> Any:
    """One of the two clients of the real server, in turn."""
    if request.param == "sync":
        with Grantkeep(world.server.url, **world.options) as client:
            yield client
    else:
        async with AsyncGrantkeep(world.server.url, **world.options) as other:
            yield other


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
