"""Calls to apps with an account's credential, and bodies that come while they are read.

The target is a path of the app (``/user``) or a URL of it. What comes back is the app's answer,
whatever its status; only failures of the server itself are raised. Nothing is sent twice from here:
``upstream_retries`` lets the server do so where it does no harm.
"""

from __future__ import annotations

from typing import Any, AsyncIterator, Mapping, Optional, Union

import httpx

from ..calls import UNSET, CallOptions, Unset
from ..proxy import AppCall, AsyncBody, Opened, Params, as_value, awaited
from ..transport import AsyncTransport


class AsyncAppAnswer(Opened):
    """An answer whose body is still coming. Read it, or close it: ``async with`` does."""

    async def read(self) -> bytes:
        """The whole body."""
        try:
            return await self._response.aread()
        except httpx.TransportError as why:
            raise self._lost(why) from why

    async def text(self) -> str:
        await self.read()
        return self._response.text

    async def json(self) -> Any:
        return as_value(await self.read())

    async def iter_bytes(self, chunk_bytes: Optional[int] = None) -> AsyncIterator[bytes]:
        """The body in pieces, as they come."""
        try:
            async for piece in self._response.aiter_bytes(chunk_bytes):
                yield piece
        except httpx.TransportError as why:
            raise self._lost(why) from why

    async def iter_lines(self) -> AsyncIterator[str]:
        """The body's lines as they come, for events."""
        try:
            async for line in self._response.aiter_lines():
                yield line
        except httpx.TransportError as why:
            raise self._lost(why) from why

    async def close(self) -> None:
        await self._response.aclose()

    async def __aenter__(self) -> AsyncAppAnswer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncProxy:
    """Calls to apps with an account's credential; ``params`` are added to the target's query.

    ``headers`` are for the app. Its credential is put in by the server.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def request(
        self,
        method: str,
        target: str,
        call: AppCall,
        *,
        body: Optional[AsyncBody] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """A call by any of the five methods."""
        sent = call.call(self._transport.settings, method, target, awaited(body))
        return AsyncAppAnswer(await self._transport.open(sent, options))

    async def get(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """Reads something of the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return await self.request("GET", target, call, options=options)

    async def post(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[AsyncBody] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """Sends something to the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return await self.request("POST", target, call, body=body, options=options)

    async def put(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[AsyncBody] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """Replaces something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return await self.request("PUT", target, call, body=body, options=options)

    async def patch(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[AsyncBody] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """Changes something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return await self.request("PATCH", target, call, body=body, options=options)

    async def delete(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[AsyncBody] = None,
        options: Optional[CallOptions] = None,
    ) -> AsyncAppAnswer:
        """Deletes something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return await self.request("DELETE", target, call, body=body, options=options)
