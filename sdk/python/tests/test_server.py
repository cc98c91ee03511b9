"""Both clients against the real server."""

from __future__ import annotations

import io
import uuid
from typing import Any, AsyncIterator, Iterator, List

import pytest
from conftest import World, given

from grantkeep import (
    AsyncGrantkeep,
    AuthenticationError,
    BadRequestError,
    ConfirmError,
    Grantkeep,
    NoAnswerError,
    NotFoundError,
    PermissionDeniedError,
    connect_link,
)
from grantkeep.models import AppOverride, OAuthApp, Project, WebhookEndpoint

pytestmark = pytest.mark.anyio


def name() -> str:
    return f"user {uuid.uuid4().hex[:8]}/ä?#%2F"


async def listed(listing: Any) -> List[Any]:
    found: List[Any] = await given(listing.all())
    return found


async def test_an_account_is_connected_read_and_deleted(client: Any, world: World) -> None:
    user = name()
    made = await given(client.tokens.create(external_user_id=user, allowed_apps=["parcels"]))
    assert made.token.startswith("ctok_") and made.expires_at.tzinfo is not None
    judged = await given(client.tokens.validate(made.token, app_id="parcels"))
    assert judged.success and judged.app is not None and judged.app.name_slug == "parcels"
    account = await given(
        client.accounts.create(
            app_slug="parcels", fields={"api_key": "k-1"}, connect_token=made.token, name="Jana"
        )
    )
    assert (account.external_id, account.name, account.healthy) == (user, "Jana", True)
    assert account.credentials is None
    found = await given(client.accounts.retrieve(account.id, include_credentials=True))
    assert found.credentials == {"api_key": "k-1"}
    assert "k-1" not in repr(found) and "<secret>" in repr(found)
    assert [it.id for it in await listed(client.accounts.list(external_user_id=user))] == [
        account.id
    ]
    # Names of users are their own: none of their letters is a part of the path.
    by_user = await given(client.accounts.list_by_external_user(user))
    assert [it.id for it in by_user] == [account.id]
    health = await given(client.accounts.health(account.id))
    assert (health.account_id, health.status, health.attempts) == (account.id, "healthy", [])
    assert await given(client.accounts.delete(account.id)) is None
    gone = await given(client.accounts.revocation(account.id))
    assert gone.account_id == account.id
    with pytest.raises(NotFoundError) as missing:
        await given(client.accounts.retrieve(account.id))
    assert missing.value.request_id and missing.value.code == "not_found"
    assert await given(client.users.delete(user)) is None


async def test_lists_are_walked_both_ways(client: Any, world: World) -> None:
    mark = uuid.uuid4().hex[:8]
    for nth in range(7):
        await given(client.tokens.create(external_user_id=f"{mark}-{nth}"))
    whole = [it.external_id for it in await listed(client.users.list(q=mark, limit=3))]
    assert sorted(whole) == [f"{mark}-{nth}" for nth in range(7)]
    pages: List[Any] = []
    if isinstance(client, AsyncGrantkeep):
        pages = [it async for it in client.users.list(q=mark, limit=3).pages()]
    else:
        pages = list(client.users.list(q=mark, limit=3).pages())
    assert [len(it.data) for it in pages] == [3, 3, 1]
    assert {it.total_count for it in pages} == {7} and pages[-1].end_cursor is None
    back: List[Any] = []
    before = client.users.list(q=mark, limit=3, before=pages[-1].start_cursor)
    if isinstance(client, AsyncGrantkeep):
        back = [it async for it in before.pages(backward=True)]
    else:
        back = list(before.pages(backward=True))
    assert [it.external_id for page in reversed(back) for it in page.data] == whole[:6]
    last = pages[-1].start_cursor
    looped = await listed(client.users.list(q=mark, limit=3, before=last))
    assert sorted(it.external_id for it in looped) == sorted(whole[:6])
    assert len(await given(client.users.list(q=mark, limit=3).all(4))) == 4
    assert len((await given(client.users.list(q=mark, limit=3).page())).data) == 3
    if isinstance(client, AsyncGrantkeep):
        assert len((await client.users.list(q=mark, limit=3)).data) == 3


async def test_calls_of_an_app_pass_bodies_both_ways(client: Any, world: World) -> None:
    user = name()
    asked = {"account_id": world.connect(user), "external_user_id": user}
    answer = await given(
        client.proxy.get("/echo", params={"q": "ä b", "n": [1, 2], "no": None}, **asked)
    )
    assert answer.ok and answer.status == 200 and answer.headers["Content-Type"]
    assert await given(answer.json()) == {"said": "hello"}
    seen = world.upstream.seen[-1]
    assert seen.path == "/echo?q=%C3%A4%20b&n=1&n=2"
    assert seen.headers["authorization"].startswith("Bearer key-of-")
    answer = await given(
        client.proxy.post("/echo", body={"a": 1}, headers={"X-Version": "2"}, **asked)
    )
    assert await given(answer.json()) == {"a": 1}
    assert world.upstream.seen[-1].headers["x-version"] == "2"
    assert world.upstream.seen[-1].headers["content-type"] == "application/json"

    def pieces() -> Iterator[bytes]:
        yield b"one, "
        yield b"two"

    async def awaited() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    stream = awaited() if isinstance(client, AsyncGrantkeep) else pieces()
    answer = await given(client.proxy.put("/echo", body=stream, **asked))
    assert await given(answer.read()) == b"one, two"
    answer = await given(client.proxy.patch("/echo", body=io.BytesIO(b"y" * 200_000), **asked))
    assert len(await given(answer.read())) == 200_000
    assert await given((await given(client.proxy.delete("/echo", **asked))).text())
    answer = await given(client.proxy.get("/large", **asked))
    size = 0
    if isinstance(client, AsyncGrantkeep):
        async with answer:
            async for piece in answer.iter_bytes():
                size += len(piece)
    else:
        with answer:
            size = sum(len(piece) for piece in answer.iter_bytes())
    assert size == 1_000_000


async def test_a_refusal_of_the_app_is_no_failure_but_one_of_the_server_is(
    client: Any, world: World
) -> None:
    user = name()
    asked = {"account_id": world.connect(user), "external_user_id": user}
    answer = await given(client.proxy.get("/missing", **asked))
    assert (answer.status, answer.ok) == (404, False)
    assert await given(answer.json()) == {"said": "hello"}
    with pytest.raises(PermissionDeniedError) as refused:
        await given(client.proxy.get("https://other.example/x", **asked))
    assert refused.value.code == "host_not_allowed" and refused.value.request_id
    with pytest.raises(NotFoundError):
        await given(client.proxy.get("/echo", **{**asked, "account_id": "apn_00000000000000"}))


async def test_an_answer_that_breaks_off_is_not_taken_for_whole(client: Any, world: World) -> None:
    user = name()
    asked = {"account_id": world.connect(user), "external_user_id": user}
    for read in ("read", "json", "text"):
        answer = await given(client.proxy.get("/broken", **asked))
        with pytest.raises(NoAnswerError):
            await given(getattr(answer, read)())
    answer = await given(client.proxy.get("/broken", **asked))
    with pytest.raises(NoAnswerError):
        if isinstance(client, AsyncGrantkeep):
            _ = [piece async for piece in answer.iter_bytes()]
        else:
            _ = list(answer.iter_bytes())
    # The connection is not used again, and the next call goes well.
    assert (await given(client.proxy.get("/echo", **asked))).ok


async def test_a_refused_call_does_not_cost_the_next_one(client: Any) -> None:
    for _ in range(30):
        with pytest.raises(NotFoundError):
            await given(
                client.proxy.post(
                    "/x", account_id="apn_x", external_user_id="u", body=b"y" * 100_000
                )
            )


async def test_projects_clients_overrides_and_webhooks_are_kept(client: Any) -> None:
    project: Project = await given(client.projects.create(name="Berry", app_name="Berry"))
    changed = await given(client.projects.update(project.id, app_name=None))
    assert (changed.name, changed.app_name) == ("Berry", None)
    assert (await given(client.projects.retrieve(project.id))).id == project.id
    await given(client.projects.delete(project.id))
    oauth: OAuthApp = await given(
        client.oauth_apps.create(app="github", client_id="an id", client_secret="hush")
    )
    assert oauth.redirect_uri.endswith("/callback") and oauth.created_at.year >= 2025
    changed = await given(client.oauth_apps.update(oauth.id, name="Ours", scopes=["repo"]))
    assert (changed.name, changed.scopes) == ("Ours", ["repo"])
    info = await given(client.projects.retrieve_info())
    assert oauth.id in [it.id for it in info.apps]
    override: AppOverride = await given(
        client.app_overrides.create(app="github", name=name()[:20], oauth_app_id=oauth.id)
    )
    detached = await given(client.app_overrides.update(override.id, oauth_app_id=None))
    assert detached.oauth_app_id is None
    await given(client.app_overrides.delete(override.id))
    await given(client.oauth_apps.delete(oauth.id))
    hook: WebhookEndpoint = await given(
        client.webhooks.create(url="http://127.0.0.1:3000/hooks", topics=["account.dead"])
    )
    assert hook.secret and hook.secret not in repr(hook)
    assert hook.delivery_state.state == "happy"
    assert (await given(client.webhooks.rotate(hook.id))).secret != hook.secret
    assert hook.id in [it.id for it in await given(client.webhooks.list())]
    assert await listed(client.webhooks.deliveries(endpoint=hook.id)) == []
    assert (await given(client.webhooks.replay(endpoint_id=hook.id))).replayed == 0
    await given(client.webhooks.delete(hook.id))
    assert await given(client.project_environment.retrieve_webhook()) is None
    older = await given(client.project_environment.update_webhook(url="http://127.0.0.1:3000/h"))
    assert older.signing_key and older.signing_key not in repr(older)
    await given(client.project_environment.delete_webhook())


async def test_apps_are_searched_and_described(client: Any) -> None:
    page = await given(client.apps.list(q="slack", limit=2, category_ids=[]).page())
    assert page.data[0].name_slug == "slack" and page.total_count >= 1
    app = await given(client.apps.retrieve("slack"))
    assert app.connect.proxy_enabled and app.raw["name_slug"] == "slack"
    categories = await given(client.app_categories.list())
    first = categories[0]
    assert (await given(client.app_categories.retrieve(first.id))).name == first.name
    parcels = await given(client.custom_apps.retrieve("parcels"))
    assert parcels.definition and {it.severity for it in parcels.problems} <= {"warning"}
    with pytest.raises(PermissionDeniedError) as refused:
        await given(client.freeze.retrieve())
    assert refused.value.code == "scope_missing"


async def test_what_is_wrong_is_said_with_its_field(client: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        await given(client.tokens.create(external_user_id="u", expires_in=0))
    assert "expires_in" in str(refused.value) or refused.value.details
    assert refused.value.request_id and refused.value.request_id in str(refused.value)
    with pytest.raises(ConfirmError) as unconfirmed:
        await given(client.confirm_flow("flc_00000000000000000000000000", "u"))
    assert unconfirmed.value.reason == "not_found"


async def test_wrong_credentials_are_refused(world: World) -> None:
    options = {**world.options, "client_secret": "not a real one"}
    with Grantkeep(world.server.url, **options) as client:
        with pytest.raises(AuthenticationError) as refused:
            client.users.list().page()
        assert refused.value.code == "invalid_client"
    async with AsyncGrantkeep(world.server.url, **options) as other:
        with pytest.raises(AuthenticationError):
            await other.users.list()


async def test_an_api_key_names_its_project_by_itself(world: World) -> None:
    made = world.server.cli("client", "create", "old", "--project", world.project_id, "--api-key")
    key = next(it for it in made.values() if isinstance(it, str) and it.startswith("gk_"))
    user = name()
    account = world.connect(user)
    with Grantkeep(world.server.url, environment="development", api_key=key) as client:
        assert [it.id for it in client.accounts.list(external_user_id=user)] == [account]
        client.accounts.delete(account)


def test_the_link_leads_to_the_connect_page(world: World) -> None:
    with Grantkeep(world.server.url, **world.options) as client:
        made = client.tokens.create(external_user_id=name())
    link = connect_link(made, app="parcels", account_id="apn_1")
    assert link == made.connect_link_url + "&app=parcels&accountId=apn_1"
    assert link.startswith(world.server.url) and connect_link(made) == made.connect_link_url
    own = connect_link(made, custom_oauth_client=True)
    assert own == made.connect_link_url + "&customOauthClient=true"
