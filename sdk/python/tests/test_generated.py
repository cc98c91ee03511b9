"""What programs write is what they would write now, and nothing of the API is left out."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest
from pretend import BASE, Pretend, reply

import generate
import table
from grantkeep import AsyncGrantkeep, Grantkeep, InvalidOptionError, models

ROUTES = generate.DOCUMENT.parent.parent / "crates/server/src/router.rs"


def test_written_files_are_not_stale() -> None:
    here = Path(generate.__file__)
    ran = subprocess.run(
        [sys.executable, str(here), "--check"], capture_output=True, text=True, check=False
    )
    said = f"{ran.stdout}{ran.stderr}\nRun: python sdk/python/generate.py"
    assert ran.returncode == 0, said


def test_every_call_of_the_document_has_a_method() -> None:
    document = generate.Document(json.loads(generate.DOCUMENT.read_text(encoding="utf-8")))
    clients = [Grantkeep(BASE, api_key="k"), AsyncGrantkeep(BASE, api_key="k")]
    for key, path, _ in document.operations():
        if key in table.ELSEWHERE or key.split(" ", 1)[1] in table.OLDER:
            continue
        resource, method = table.OPERATIONS[key].name.split(".")
        for client in clients:
            assert callable(getattr(getattr(client, resource), method)), f"{key} of {path}"


def needs(method: Callable[..., Any]) -> Any:
    """What a method cannot do without, whatever it is."""
    given = inspect.signature(method).parameters.values()
    return {it.name: "x" for it in given if it.default is inspect.Parameter.empty}


def test_without_a_project_a_call_goes_to_an_address_of_the_server_or_says_so() -> None:
    routes = re.findall(r'\.route\(\s*"([^"]+)"', ROUTES.read_text(encoding="utf-8"))
    there = {re.sub(r"{[^}]*}", "{}", it) for it in routes}
    assert "/v1/connect/accounts" in there, "the routes were read"
    server = Pretend(lambda _, __: reply(200, {"data": [], "page_info": {}}))
    client = server.client()
    for key, operation in table.OPERATIONS.items():
        resource, name = operation.name.split(".")
        method = getattr(getattr(client, resource), name)
        before = len(server.asked)
        bare = key.split(" ", 1)[1].replace("/v1/connect/{}/", "/v1/connect/", 1)
        named = "/v1/connect/{}/" in key and key not in table.WITHOUT_PROJECT
        if named:
            with pytest.raises(InvalidOptionError, match="project_id"):
                sent(method)
            assert len(server.asked) == before
            # Where such an address is there, it is of another method, or of another call.
            shared = ("components.publish", "components.delete")
            assert bare not in there or operation.name in shared, key
            continue
        assert "/v1/connect/{}/" not in key or bare in there, key
        sent(method)
        assert server.asked[-1].url.path.startswith(bare.split("{", 1)[0]), key


def sent(method: Callable[..., Any]) -> None:
    """Makes a call, whatever becomes of its answer."""
    try:
        made = method(**needs(method))
        if hasattr(made, "page"):
            made.page()
    except InvalidOptionError:
        raise
    except Exception:
        # The pretend answer is none of this call's.
        pass


def test_what_is_shown_once_is_in_no_repr() -> None:
    document = generate.Document(json.loads(generate.DOCUMENT.read_text(encoding="utf-8")))
    telling = re.compile(r"\bonce\b|nobody can guess|without a bearer|^Only (when|with)")
    together = {"SourceView", "HttpView", "TimerView"}
    found = set()
    for schema, it in document.schemas.items():
        name = "DeployedTrigger" if schema in together else generate.here(schema)
        model = getattr(models, name, None)
        if not isinstance(model, type):
            continue
        for field, (said, _) in generate.fields_of(it, document.schemas).items():
            if telling.search(said.get("description") or ""):
                found.add(f"{name}.{field}")
                made = model({field: "hush-hush"})
                assert "hush-hush" not in repr(made) and field in repr(made), f"{name}.{field}"
    known = {"DeployedWorkflow.bearer_token", "DeployedTrigger.key", "WebhookEndpoint.secret"}
    assert found >= known


def test_a_call_without_a_name_is_told() -> None:
    raw = json.loads(generate.DOCUMENT.read_text(encoding="utf-8"))
    raw["paths"]["/v1/connect/news"] = {"get": {"responses": {}}}
    with pytest.raises(generate.Unknown, match="GET /v1/connect/news"):
        generate.methods(generate.Document(raw))


def test_the_async_words_are_all_that_is_taken_out() -> None:
    text = '"""About."""\nasync def f(it: AsyncApp) -> None:\n    await it.aread()\n'
    assert generate.without_async(text).splitlines()[2:] == [
        "def f(it: App) -> None:",
        "    it.read()",
    ]
    for file in (generate.PACKAGE / "_sync").glob("*.py"):
        assert "async " not in file.read_text(encoding="utf-8").replace("_async", "")


def test_models_take_what_older_and_newer_servers_send() -> None:
    made = models.User({"id": "exu_1", "external_id": "u", "colour": "red"})
    assert made.id == "exu_1" and made.raw["colour"] == "red"
    with pytest.raises(AttributeError, match="older"):
        _ = made.created_at
    assert repr(made) == "User(external_id='u', id='exu_1')"
    assert models.Account({"id": "apn_1"}).name is None
