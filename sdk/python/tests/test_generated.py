"""What programs write is what they would write now, and nothing of the API is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pretend import BASE

import generate
import table
from grantkeep import AsyncGrantkeep, Grantkeep, models


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
