"""What calls to apps are made of, for both clients."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import (
    Any,
    AsyncIterable,
    AsyncIterator,
    BinaryIO,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Union,
)
from urllib.parse import quote, urlencode

import httpx

from .calls import UNSET, Answer, Call, QueryValue, Settings, Unset, as_json, pairs_of, path
from .errors import InvalidOptionError, NoAnswerError, UnexpectedAnswerError
from .transport import lost

#: Bytes that are read from a file at once.
PIECE_BYTES = 65_536
_ALL_ASCII = "".join(chr(it) for it in range(0x21, 0x7F))

Params = Mapping[str, QueryValue]
Json = Union[Mapping[str, Any], List[Any]]
#: A dictionary or a list is sent as JSON; all else as it is.
Body = Union[bytes, str, BinaryIO, Iterable[bytes], Json]
AsyncBody = Union[bytes, str, BinaryIO, AsyncIterable[bytes], Json]


class Opened:
    """What both kinds of open answer know."""

    def __init__(self, answer: Answer) -> None:
        self._response: httpx.Response = answer.stream

    @property
    def status(self) -> int:
        return self._response.status_code

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self._response.status_code < 400

    @property
    def headers(self) -> Mapping[str, str]:
        """Looked up without regard to case."""
        return self._response.headers

    @property
    def request_id(self) -> Optional[str]:
        """Names the call in the server's log."""
        given: Optional[str] = self._response.headers.get("x-request-id")
        return given

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status})"

    def _lost(self, why: httpx.TransportError) -> NoAnswerError:
        error = lost(why, self._response.request.extensions["timeout"]["read"])
        error.__cause__ = why
        return error


@dataclass(frozen=True)
class AppCall:
    """What goes with a call to an app."""

    #: The account to call with.
    account_id: str
    #: The account's user: yours, not the app's. A connect token says it by itself.
    external_user_id: Union[str, Unset] = UNSET
    #: Added to the target's query.
    params: Optional[Params] = None
    #: For the app, such as its version header. Its credential is put in by the server.
    headers: Optional[Mapping[str, str]] = field(default=None, repr=False)
    #: How often the server tries again after a failure that passes; at most 3.
    upstream_retries: Optional[int] = None

    def call(self, settings: Settings, method: str, target: str, body: Any) -> Call:
        if not self.account_id:
            raise InvalidOptionError("account_id is missing")
        sent: Dict[str, str] = {"accept": "*/*", "x-grantkeep-target": _target(target, self.params)}
        for name, value in (self.headers or {}).items():
            sent[f"x-pd-proxy-{name.lower()}"] = value
        if self.upstream_retries is not None:
            sent["x-grantkeep-retry"] = str(self.upstream_retries)
        raw = body
        if isinstance(body, (Mapping, list)):
            raw = as_json(body).encode()
            sent.setdefault("content-type", "application/json")
        elif isinstance(body, str):
            raw = body.encode()
            sent.setdefault("content-type", "text/plain; charset=utf-8")
        query: Dict[str, QueryValue] = {
            "account_id": self.account_id,
            "external_user_id": self.external_user_id,
        }
        address = path(settings, "/v1/connect/{project?}/proxy")
        return Call(method, address, query=query, raw=raw, headers=sent, of_app=True)


def _target(target: str, params: Optional[Params]) -> str:
    text = urlencode(pairs_of(params or {}), quote_via=quote)
    joint = "&" if "?" in target else "?"
    whole = f"{target}{joint}{text}" if text else target
    # A header holds visible ASCII alone.
    return quote(whole, safe=_ALL_ASCII)


def pieces(body: Any) -> Any:
    """A file as pieces of a size; anything else as it is."""
    read = getattr(body, "read", None)
    return iter(lambda: read(PIECE_BYTES), b"") if callable(read) else body


def awaited(body: Any) -> Any:
    """As :func:`pieces`, in the form that asynchronous clients take."""

    async def given() -> AsyncIterator[bytes]:
        for piece in pieces(body):
            yield piece

    return given() if callable(getattr(body, "read", None)) else body


def as_value(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError as why:
        raise UnexpectedAnswerError("The app's answer is not JSON") from why
