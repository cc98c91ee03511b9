"""A pretend server without a socket, and a clock that nobody waits for."""

from __future__ import annotations

import json
from typing import Any, Callable, List, Union

import httpx

from grantkeep import AsyncGrantkeep, Grantkeep

BASE = "https://connect.example"
Reply = Union[httpx.Response, Exception]
TOKEN = {"access_token": "at_1", "token_type": "Bearer", "expires_in": 3600}


def reply(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): it for name, it in headers.items()}
    content = b"" if body is None else json.dumps(body).encode()
    return httpx.Response(status, content=content, headers=named)


class Pretend:
    """Answers by a function, and keeps what it was asked."""

    def __init__(self, answer: Callable[[httpx.Request, int], Reply]) -> None:
        self.asked: List[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._given(request)

    async def later(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self._given(request)

    def _given(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answer(request, len(self.asked))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lines(self) -> List[str]:
        return [f"{it.method} {it.url.raw_path.decode()}" for it in self.asked]

    def client(self, **options: Any) -> Grantkeep:
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Grantkeep(BASE, http=http, **(options or {"api_key": "gk_key"}))

    def async_client(self, **options: Any) -> AsyncGrantkeep:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.later))
        return AsyncGrantkeep(BASE, http=http, **(options or {"api_key": "gk_key"}))

    def either(self, kind: str, **options: Any) -> Any:
        return self.client(**options) if kind == "sync" else self.async_client(**options)
