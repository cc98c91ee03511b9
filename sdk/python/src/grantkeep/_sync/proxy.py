# Written by generate.py from _async: edit there.
"""Calls to apps with an account's credential, and bodies that come while they are read.

The target is a path of the app (``/user``) or a URL of it. What comes back is the app's answer,
whatever its status; only failures of the server itself are raised. Nothing is sent twice from here:
``upstream_retries`` lets the server do so where it does no harm.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Optional, Union

import httpx

from ..calls import UNSET, CallOptions, Unset
from ..proxy import AppCall, Body, Opened, Params, as_value, pieces
from ..transport import Transport


class AppAnswer(Opened):
    """An answer whose body is still coming. Read it, or close it: ``with`` does."""

    def read(self) -> bytes:
        """The whole body."""
        try:
            return self._response.read()
        except httpx.TransportError as why:
            raise self._lost(why) from why

    def text(self) -> str:
        self.read()
        return self._response.text

    def json(self) -> Any:
        return as_value(self.read())

    def iter_bytes(self, chunk_bytes: Optional[int] = None) -> Iterator[bytes]:
        """The body in pieces, as they come."""
        try:
            for piece in self._response.iter_bytes(chunk_bytes):
                yield piece
        except httpx.TransportError as why:
            raise self._lost(why) from why

    def iter_lines(self) -> Iterator[str]:
        """The body's lines as they come, for events."""
        try:
            for line in self._response.iter_lines():
                yield line
        except httpx.TransportError as why:
            raise self._lost(why) from why

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> AppAnswer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Proxy:
    """Calls to apps with an account's credential; ``params`` are added to the target's query.

    ``headers`` are for the app. Its credential is put in by the server.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self,
        method: str,
        target: str,
        call: AppCall,
        *,
        body: Optional[Body] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """A call by any of the five methods."""
        sent = call.call(self._transport.settings, method, target, pieces(body))
        return AppAnswer(self._transport.open(sent, options))

    def get(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """Reads something of the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return self.request("GET", target, call, options=options)

    def post(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[Body] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """Sends something to the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return self.request("POST", target, call, body=body, options=options)

    def put(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[Body] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """Replaces something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return self.request("PUT", target, call, body=body, options=options)

    def patch(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[Body] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """Changes something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return self.request("PATCH", target, call, body=body, options=options)

    def delete(
        self,
        target: str,
        *,
        account_id: str,
        external_user_id: Union[str, Unset] = UNSET,
        params: Optional[Params] = None,
        headers: Optional[Mapping[str, str]] = None,
        upstream_retries: Optional[int] = None,
        body: Optional[Body] = None,
        options: Optional[CallOptions] = None,
    ) -> AppAnswer:
        """Deletes something at the app."""
        call = AppCall(account_id, external_user_id, params, headers, upstream_retries)
        return self.request("DELETE", target, call, body=body, options=options)
