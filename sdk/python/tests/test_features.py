"""The file stash, what does not run yet, usage, limits of one's own, and clients known by a key."""

from __future__ import annotations

import io
import time
import uuid
from typing import Any

import httpx
import pytest
from conftest import World, given
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from grantkeep import AsyncGrantkeep, Grantkeep, KeyPair, NotBuiltError, NotFoundError

pytestmark = pytest.mark.anyio


async def test_a_file_is_kept_and_given_back(client: Any, world: World) -> None:
    user = f"stash {uuid.uuid4().hex[:8]}/ä"
    await given(client.tokens.create(external_user_id=user))
    content = bytes(range(256)) * 1_000
    file = await given(client.file_stash.upload(user, "a b ü.bin", io.BytesIO(content)))
    assert file.bytes == len(content) and file.expires_at.tzinfo is not None
    assert file.get_url not in repr(file)
    answer = await given(client.file_stash.download(file.s3_key))
    assert await given(answer.read()) == content
    assert httpx.get(file.get_url).content == content
    second = await given(client.file_stash.upload(user, "b", b"b", stash_id=file.stash_id))
    assert second.stash_id == file.stash_id
    with pytest.raises(NotFoundError):
        await given(client.file_stash.download(file.s3_key + "x"))


async def test_components_are_listed_and_what_is_not_built_says_so(
    client: Any, world: World
) -> None:
    for kind in (client.components, client.actions, client.triggers):
        assert isinstance(await given(kind.list(limit=5).all()), list)
        with pytest.raises(NotFoundError):
            await given(kind.retrieve("~/no/such", version="1.0.0"))
    user = {"external_user_id": "u"}
    assert await given(client.deployed_triggers.list(**user).all()) == []
    with pytest.raises(NotFoundError):
        await given(client.deployed_triggers.events("dc_1", n=5, **user))
    with pytest.raises((NotBuiltError, NotFoundError)) as refused:
        await given(client.actions.run(id="no-such", configured_props={"a": 1}, **user))
    assert refused.value.request_id


async def test_usage_is_told(client: Any, world: World) -> None:
    now = int(time.time())
    for span in await given(client.usage.list(start_ts=now - 86_400, end_ts=now)):
        assert span.credits_used >= 0 and span.usage_end_ts > span.usage_start_ts
    for used in await given(client.usage.of_project(start_ts=now - 3_600, end_ts=now, by="hour")):
        assert used.proxy_calls >= 0 and used.vends >= 0


async def test_a_limit_of_ones_own_holds(client: Any, world: World) -> None:
    made = await given(
        client.rate_limits.create(window_size_seconds=86_400, requests_per_window=1_000)
    )
    kept = await given(client.rate_limits.list().all())
    assert made.token in [it.token for it in kept]
    kind = AsyncGrantkeep if isinstance(client, AsyncGrantkeep) else Grantkeep
    limited: Any = kind(world.server.url, rate_limit=made.token, **world.options)
    await given(limited.users.list().page())
    await given(limited.close())
    await given(client.rate_limits.delete(made.token))


async def test_a_client_is_known_by_its_key(world: World) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = world.server.folder / "public.pem"
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    made = world.server.cli("client", "create", "signer", "--public-key", str(public))
    options = {k: it for k, it in world.options.items() if k != "client_secret"}
    options.update(client_id=made["client_id"], key_pair=KeyPair(pem))
    with Grantkeep(world.server.url, **options) as client:
        assert client.users.list().page().total_count is not None
    async with AsyncGrantkeep(world.server.url, **options) as other:
        assert (await other.users.list()).total_count is not None
