"""What is sent, when again, and what answers mean: the same for both clients, without a socket."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any, Dict, Iterator, List

import anyio
import httpx
import pytest
import table
from conftest import given
from pretend import BASE, TOKEN, Pretend, reply

from grantkeep import (
    APIError,
    AsyncGrantkeep,
    CallOptions,
    CallTimeoutError,
    ConfirmError,
    Grantkeep,
    InvalidOptionError,
    NoAnswerError,
    NotBuiltError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnexpectedAnswerError,
    calls,
)

pytestmark = pytest.mark.anyio
BACKEND: Dict[str, Any] = {"project_id": "proj_1", "client_id": "cid", "client_secret": "hush-hush"}
USER = {"id": "exu_1", "external_id": "u", "created_at": "2026-01-01T00:00:00.000+00:00"}


@pytest.fixture(params=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[float]:
    """The waits that were asked for; nobody sits them out."""
    waited: List[float] = []

    async def later(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("grantkeep.transport.time.sleep", waited.append)
    monkeypatch.setattr("grantkeep.transport.anyio.sleep", later)
    return waited


async def test_a_get_is_sent_again_when_the_server_says(kind: str, waits: List[float]) -> None:
    soon = datetime.now(timezone.utc) + timedelta(seconds=40)

    def answer(_: httpx.Request, nth: int) -> Any:
        if nth == 1:
            return reply(503, {"error": "Busy"}, retry_after="7")
        if nth == 2:
            return reply(502, None, retry_after=format_datetime(soon, usegmt=True))
        if nth == 3:
            return httpx.ReadError("gone")
        return reply(200, [])

    server = Pretend(answer)
    client = server.either(kind)
    found = await given(client.app_categories.list(options=CallOptions(retries=3)))
    assert found == [] and len(server.asked) == 4
    assert waits[0] == 7 and 30 < waits[1] <= 40 and 0 < waits[2] < 3


async def test_a_post_that_may_have_been_done_is_not_sent_again(
    kind: str, waits: List[float]
) -> None:
    for failure in (reply(500), reply(503), httpx.ReadError("gone"), httpx.ReadTimeout("slow")):
        server = Pretend(lambda _, __, it=failure: it)  # type: ignore[misc]
        client = server.either(kind)
        options = CallOptions(idempotency_key="k-1")
        with pytest.raises((ServerError, NoAnswerError)):
            await given(client.tokens.create(external_user_id="u", options=options))
        assert len(server.asked) == 1 and server.asked[0].headers["idempotency-key"] == "k-1"
    assert waits == []


async def test_a_put_whose_answer_comes_once_is_sent_once(kind: str, waits: List[float]) -> None:
    server = Pretend(lambda _, __: reply(503))
    client = server.either(kind, api_key="k", project_id="proj_1")
    replace = client.custom_apps.replace
    calls_and_times: Any = (
        (lambda: client.project_environment.update_webhook(url="https://x"), 1),
        (lambda: replace("p", definition="", version=3), 1),
        (lambda: replace("p", definition=""), 3),
    )
    for call, times in calls_and_times:
        before = len(server.asked)
        with pytest.raises(ServerError):
            await given(call())
        assert len(server.asked) - before == times


async def test_a_post_that_was_not_done_is_sent_again(kind: str, waits: List[float]) -> None:
    made = {
        "token": "ctok_1",
        "expires_at": "2026-01-01T00:00:00Z",
        "connect_link_url": "https://x",
    }

    def answer(_: httpx.Request, nth: int) -> Any:
        if nth == 1:
            return httpx.ConnectError("nobody there")
        return reply(429, {"error": "Throttled"}, retry_after="2") if nth == 2 else reply(200, made)

    server = Pretend(answer)
    token = await given(server.either(kind).tokens.create(external_user_id="u"))
    assert token.token == "ctok_1" and token.expires_at.tzinfo is not None
    assert len(server.asked) == 3 and waits[1] == 2


async def test_what_will_not_pass_is_not_tried_again(kind: str, waits: List[float]) -> None:
    for status in (400, 401, 403, 404, 409, 501):
        server = Pretend(lambda _, __, it=status: reply(it, {"error": "No"}))  # type: ignore[misc]
        with pytest.raises(APIError) as refused:
            await given(server.either(kind).app_categories.list())
        assert (refused.value.status, len(server.asked)) == (status, 1)
    server = Pretend(lambda _, __: reply(429, {"error": "Throttled"}, retry_after="3600"))
    with pytest.raises(RateLimitedError) as throttled:
        await given(server.either(kind).app_categories.list())
    assert throttled.value.retry_after_s == 3600 and len(server.asked) == 1 and waits == []


async def test_a_deletion_whose_answer_was_lost_is_not_missing(
    kind: str, waits: List[float]
) -> None:
    lost = Pretend(lambda _, nth: httpx.ReadError("gone") if nth == 1 else reply(404))
    assert await given(lost.either(kind).accounts.delete("apn_1")) is None
    gone = Pretend(lambda _, __: reply(404))
    with pytest.raises(NotFoundError):
        await given(gone.either(kind).accounts.delete("apn_1"))


async def test_errors_carry_what_the_server_said(kind: str) -> None:
    said = {"error": "Too long", "code": "invalid_field", "details": {"field": "name"}}
    server = Pretend(lambda _, __: reply(400, said, x_request_id="req_7"))
    with pytest.raises(APIError) as refused:
        await given(server.either(kind).projects.create(name="x"))
    error = refused.value
    assert (error.message, error.code, error.request_id) == ("Too long", "invalid_field", "req_7")
    assert error.details == {"field": "name"}
    assert str(error) == "Too long (400 invalid_field, request req_7)"
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))
    page = Pretend(lambda _, __: httpx.Response(200, text="<html>"))
    with pytest.raises(UnexpectedAnswerError):
        await given(page.either(kind).app_categories.list())
    slow = Pretend(lambda _, __: httpx.ReadTimeout("slow"))
    with pytest.raises(CallTimeoutError, match="2.5 s"):
        options = CallOptions(timeout_s=2.5, retries=0)
        await given(slow.either(kind).app_categories.list(options=options))
    unbuilt = Pretend(lambda _, __: reply(501, {"error": "Not yet", "code": "not_built"}))
    client = unbuilt.either(kind, api_key="k", project_id="proj_1")
    with pytest.raises(NotBuiltError):
        await given(client.actions.run(id="slack-send", external_user_id="u"))


async def test_one_access_token_serves_many_calls(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("grantkeep.credentials.time.time", lambda: now[0])

    def answer(request: httpx.Request, _: int) -> Any:
        return reply(200, TOKEN) if request.url.path == "/v1/oauth/token" else reply(200, [])

    server = Pretend(answer)
    client = server.either(kind, **BACKEND)

    def asks() -> int:
        return sum(it.url.path == "/v1/oauth/token" for it in server.asked)

    for later, expected in ((0, 1), (3479, 1), (1, 2)):
        now[0] += later
        await given(client.app_categories.list())
        assert asks() == expected
    first = server.asked[0]
    assert "authorization" not in first.headers
    assert json.loads(first.content) == {
        "grant_type": "client_credentials",
        "client_id": "cid",
        "client_secret": "hush-hush",
    }
    assert server.asked[1].headers["authorization"] == "Bearer at_1"
    assert server.asked[1].headers["x-pd-environment"] == "production"


async def test_a_refused_access_token_is_replaced_once_even_for_a_post(kind: str) -> None:
    issued = [0]

    def answer(request: httpx.Request, _: int) -> Any:
        if request.url.path == "/v1/oauth/token":
            issued[0] += 1
            return reply(200, {**TOKEN, "access_token": f"at_{issued[0]}"})
        if request.headers["authorization"] == "Bearer at_1":
            return reply(401, {"error": "Expired", "code": "invalid_token"})
        return reply(201, {"id": "proj_2", "name": "p"})

    server = Pretend(answer)
    assert (await given(server.either(kind, **BACKEND).projects.create(name="p"))).id == "proj_2"
    assert issued[0] == 2

    def never(request: httpx.Request, _: int) -> Any:
        return reply(200, TOKEN) if request.url.path == "/v1/oauth/token" else reply(401)

    refusing = Pretend(never)
    with pytest.raises(APIError, match="401"):
        await given(refusing.either(kind, **BACKEND).app_categories.list())
    assert len(refusing.asked) == 4


def test_threads_share_one_request_for_a_token() -> None:
    asked = threading.Event()
    go_on = threading.Event()

    def answer(request: httpx.Request, _: int) -> Any:
        if request.url.path == "/v1/oauth/token":
            asked.set()
            go_on.wait(10)
            return reply(200, TOKEN)
        return reply(200, [])

    server = Pretend(answer)
    client = server.client(**BACKEND)
    threads = [threading.Thread(target=client.app_categories.list) for _ in range(8)]
    for it in threads:
        it.start()
    assert asked.wait(10)
    go_on.set()
    for it in threads:
        it.join(10)
    assert sum(it.url.path == "/v1/oauth/token" for it in server.asked) == 1
    assert len(server.asked) == 9


async def test_tasks_share_one_request_for_a_token_and_its_failure() -> None:
    answers = [
        reply(401, {"error": "invalid_client", "error_description": "No"}),
        reply(200, TOKEN),
    ]

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/oauth/token":
            await anyio.lowlevel.checkpoint()
            return answers.pop(0)
        return reply(200, [])

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    client = AsyncGrantkeep(BASE, http=http, **BACKEND)
    failed: List[str] = []

    async def one() -> None:
        try:
            await client.app_categories.list()
        except APIError as why:
            failed.append(why.code)

    for expected in (["invalid_client"] * 5, []):
        failed.clear()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(one)
        assert failed == expected
    assert answers == []


async def test_a_cancelled_request_for_a_token_leaves_the_others_one() -> None:
    entered = anyio.Event()
    count = [0]

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path != "/v1/oauth/token":
            return reply(200, [])
        count[0] += 1
        if count[0] == 1:
            entered.set()
            await anyio.sleep_forever()
        return reply(200, TOKEN)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    client = AsyncGrantkeep(BASE, http=http, **BACKEND)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            leader = anyio.CancelScope()

            async def lead() -> None:
                with leader:
                    await client.app_categories.list()

            tasks.start_soon(lead)
            await entered.wait()
            tasks.start_soon(client.app_categories.list)
            await anyio.lowlevel.checkpoint()
            leader.cancel()
    assert count[0] == 2


async def test_names_are_no_part_of_the_path(kind: str) -> None:
    one = {"key": "~/x", "name": "x", "version": "1.0.0", "configurable_props": []}
    server = Pretend(
        lambda it, _: reply(204) if it.method == "DELETE" else reply(200, {"data": one})
    )
    client = server.either(kind, api_key="k", project_id="proj_1")
    await given(client.users.delete("a b/ä?#%2F&+;..", revoke=False))
    await given(client.actions.retrieve("~/x", version="1.0.0"))
    assert server.lines() == [
        "DELETE /v1/connect/proj_1/users/a%20b%2F%C3%A4%3F%23%252F%26%2B%3B..?revoke=false",
        "GET /v1/connect/proj_1/actions/~%2Fx?version=1.0.0",
    ]
    for bad in ("", ".", "..", 7, None):
        with pytest.raises(InvalidOptionError):
            await given(client.users.delete(bad))
    without = server.either(kind)
    await given(without.users.delete("u"))
    assert server.lines()[-1] == "DELETE /v1/connect/users/u"
    nameless = server.either(kind, client_id="c", client_secret="s")
    with pytest.raises(InvalidOptionError, match="project_id"):
        await given(nameless.users.delete("u"))


async def test_an_empty_name_is_not_everybody(kind: str) -> None:
    server = Pretend(lambda _, __: reply(200, {"data": [], "page_info": {}}))
    client = server.either(kind, api_key="k", project_id="proj_1")
    for nobody in ("", None):
        for call, named in (
            (lambda **it: client.accounts.list(**it).all(), {"external_user_id": nobody}),
            (client.accounts.delete_by_app, {"app": "slack", "external_user_id": nobody}),
            (client.freeze.begin, {"app": nobody}),
            (lambda **it: client.webhooks.deliveries(**it).all(), {"endpoint": nobody}),
        ):
            with pytest.raises(InvalidOptionError, match="empty"):
                await given(call(**named))
    for nobody in ("", None):
        with pytest.raises(InvalidOptionError, match="empty"):
            user: Any = nobody
            await given(client.proxy.get("/x", account_id="apn_1", external_user_id=user))
    assert server.asked == [] and calls.HOLDING == table.HOLDING
    await given(client.accounts.list(after="").all())
    await given(client.users.list(q="").all())
    assert server.lines()[-1] == "GET /v1/connect/proj_1/users?q=&limit=100"


async def test_only_what_is_given_is_sent(kind: str) -> None:
    server = Pretend(lambda _, __: reply(200, {"id": "ao_1"}))
    client = server.either(kind, api_key="k", project_id="proj_1")
    await given(client.app_overrides.update("ao_1", oauth_app_id=None))
    assert json.loads(server.asked[-1].content) == {"oauth_app_id": None}
    await given(
        client.accounts.create(app_slug="sendgrid", fields={"a": "ä"}, connect_token="ctok_1")
    )
    assert json.loads(server.asked[-1].content) == {
        "app_slug": "sendgrid",
        "cfmap_json": '{"a":"ä"}',
        "connect_token": "ctok_1",
    }
    assert server.asked[-1].headers["authorization"] == "Bearer ctok_1"


async def test_a_stashed_file_goes_and_comes_as_it_is_read(kind: str) -> None:
    name = "1day/proj_1/exu_1/s/u/a b.txt"
    made = {
        "s3_key": name,
        "stash_id": "s",
        "get_url": "https://x/hush-hush",
        "bytes": 3,
        "expires_at": "2026-01-01T00:00:00.000+00:00",
    }
    server = Pretend(
        lambda it, _: reply(201, made) if it.method == "POST" else httpx.Response(200, text="abc")
    )
    client = server.either(kind, api_key="k", project_id="proj_1", rate_limit="rl_1")
    file = await given(client.file_stash.upload("u", "a b.txt", io.BytesIO(b"abc")))
    assert (file.s3_key, file.bytes) == (name, 3) and "hush" not in repr(file)
    assert (
        server.asked[0].content == b"abc" and server.asked[0].headers["x-pd-rate-limit"] == "rl_1"
    )
    answer = await given(client.file_stash.download(file.s3_key))
    assert await given(answer.read()) == b"abc"
    assert server.lines() == [
        "POST /v1/connect/proj_1/file_stash?external_user_id=u&name=a%20b.txt",
        "GET /v1/connect/proj_1/file_stash/download"
        "?s3_key=1day%2Fproj_1%2Fexu_1%2Fs%2Fu%2Fa%20b.txt",
    ]
    gone = Pretend(lambda _, __: reply(404, {"error": "No such file", "code": "not_found"}))
    with pytest.raises(NotFoundError):
        await given(gone.either(kind, api_key="k", project_id="p").file_stash.download("x"))


async def test_a_walk_asks_for_a_hundred_at_once_unless_told_how_many(kind: str) -> None:
    server = Pretend(lambda _, __: reply(200, {"data": [USER], "page_info": {}}))
    client = server.either(kind)
    await given(client.users.list().all())
    await given(client.users.list(limit=7).all())
    await given(client.users.list().all(3))
    assert await given(client.users.list().all(0)) == []
    await given(client.users.list().page())
    assert [it.url.query.decode() for it in server.asked] == ["limit=100", "limit=7", "limit=3", ""]


async def test_a_list_with_before_is_walked_back_to_its_beginning(kind: str) -> None:
    pages = {"c3": ("d c", "c2"), "c2": ("b a", "c1"), "c1": ("", None)}

    def answer(it: httpx.Request, _: int) -> Any:
        names, start = pages[it.url.params["before"]]
        users = [{**USER, "external_id": name} for name in names.split()]
        return reply(200, {"data": users, "page_info": {"start_cursor": start, "end_cursor": "c9"}})

    client = Pretend(answer).either(kind)
    found = await given(client.users.list(before="c3", limit=2).all())
    assert [it.external_id for it in found] == ["d", "c", "b", "a"]


async def test_a_server_that_repeats_a_page_does_not_trap_the_caller(kind: str) -> None:
    same = {"data": [USER], "page_info": {"end_cursor": "same"}}
    server = Pretend(lambda _, __: reply(200, same))
    with pytest.raises(UnexpectedAnswerError, match="twice"):
        await given(server.either(kind).users.list().all())


async def test_secrets_are_neither_printed_nor_logged_nor_sent_elsewhere(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    moved = Pretend(lambda _, __: reply(302, None, location="https://thief.example/"))
    client = moved.either(kind, api_key="hush-hush")
    with pytest.raises(APIError):
        await given(client.app_categories.list())
    assert [it.url.host for it in moved.asked] == ["connect.example"]
    shown = repr(client) + repr(vars(client)) + repr(client.accounts)
    assert "hush" not in shown
    server = Pretend(lambda _, __: reply(200, {"success": True}))
    with caplog.at_level(logging.DEBUG):
        await given(server.either(kind).tokens.validate("ctok_0123456789abcdef"))
    assert "0123456789abcdef" not in caplog.text and "ctok_***" in caplog.text


async def test_a_client_of_your_own_keeps_its_habits_to_itself(kind: str) -> None:
    server = Pretend(lambda _, __: reply(302, None, location="https://thief.example/"))
    habits: Dict[str, Any] = {"auth": ("name", "password"), "follow_redirects": True}
    client: Any
    if kind == "sync":
        http = httpx.Client(transport=httpx.MockTransport(server), **habits)
        client = Grantkeep(BASE, api_key="k", http=http)
    else:
        other = httpx.AsyncClient(transport=httpx.MockTransport(server.later), **habits)
        client = AsyncGrantkeep(BASE, api_key="k", http=other)
    with pytest.raises(APIError):
        await given(client.app_categories.list())
    assert [it.headers["authorization"] for it in server.asked] == ["Bearer k"]
    await given(client.close())
    assert not (http if kind == "sync" else other).is_closed


async def test_why_a_flow_was_not_confirmed_has_a_type(kind: str) -> None:
    details = {"reason": "user_mismatch", "redirect_uri": "https://x/result"}
    said = {"error": "No", "code": "connection_failed", "details": details}
    server = Pretend(lambda _, __: reply(409, said))
    with pytest.raises(ConfirmError) as refused:
        await given(server.either(kind).confirm_flow("flc_1", "u"))
    assert refused.value.reason == "user_mismatch"
    assert refused.value.redirect_uri == "https://x/result"
    other = Pretend(lambda _, __: reply(401, {"error": "x", "code": "invalid_token"}))
    with pytest.raises(APIError) as error:
        await given(other.either(kind).confirm_flow("flc_1", "u"))
    assert not isinstance(error.value, ConfirmError)


async def test_a_stream_is_sent_once_and_the_servers_own_401_is_about_the_bearer(
    kind: str,
) -> None:
    issued = [0]

    def answer(request: httpx.Request, _: int) -> Any:
        if request.url.path == "/v1/oauth/token":
            issued[0] += 1
            return reply(200, {**TOKEN, "access_token": f"at_{issued[0]}"})
        ours = {"error": "Expired", "code": "invalid_token"}
        if request.headers["authorization"] == "Bearer at_1":
            return reply(401, ours, x_grantkeep_error="invalid_token")
        return reply(401, {"app": "says no"})

    server = Pretend(answer)
    client = server.either(kind, **BACKEND)
    answered = await given(client.proxy.post("/x", account_id="apn_1", body={"a": 1}))
    assert answered.status == 401 and await given(answered.json()) == {"app": "says no"}
    assert issued[0] == 2
    fresh = Pretend(answer)
    issued[0] = 0
    other = fresh.either(kind, **BACKEND)

    def pieces() -> Iterator[bytes]:
        yield b"once"

    async def later() -> Any:
        yield b"once"

    body: Any = pieces() if kind == "sync" else later()
    with pytest.raises(APIError, match="Expired"):
        await given(other.proxy.post("/x", account_id="apn_1", body=body))
    assert issued[0] == 1


def test_wrong_options_are_refused_before_anything_is_sent() -> None:
    good: Dict[str, Any] = {"api_key": "k"}
    for base in (
        "x.example",
        "ftp://x.example",
        "https://",
        "https://a:b@x.example",
        "https://x?q",
    ):
        with pytest.raises(InvalidOptionError):
            Grantkeep(base, **good)
    wrong: List[Dict[str, Any]] = [
        {},
        {"client_id": "c"},
        {"client_secret": "s"},
        {"api_key": "k", "client_id": "c", "client_secret": "s"},
        {"api_key": ""},
        {"api_key": "k", "environment": "staging"},
    ]
    for bad in wrong:
        with pytest.raises(InvalidOptionError):
            Grantkeep(BASE, **bad)
    with Grantkeep("https://x.example/prefix/", **good) as client:
        assert repr(client) == "Grantkeep('https://x.example/prefix', project_id=None)"
