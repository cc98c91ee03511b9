"""Does what ``calls.py`` asks for: once by waiting, once with ``await``."""

from __future__ import annotations

import logging
import re
import threading
import time
from typing import Any, Callable, Generic, Optional, TypeVar, Union

import anyio
import httpx

from .calls import (
    Answer,
    Call,
    CallOptions,
    Drain,
    Open,
    Outcome,
    Request,
    Send,
    Settings,
    Steps,
    Token,
    Wait,
    exchange,
    opening,
    read_json,
)
from .credentials import Grant, Source
from .errors import CallTimeoutError, InvalidOptionError, NoAnswerError

T = TypeVar("T")
E = TypeVar("E")

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_SECRET_IN_URL = re.compile(r"ctok_[0-9A-Za-z]+")


class _Masked(logging.Filter):
    """Takes connect tokens out of what httpx logs of addresses."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(it) for it in record.args)
        return True


def _masked(value: object) -> object:
    if isinstance(value, (str, httpx.URL)) and "ctok_" in str(value):
        return _SECRET_IN_URL.sub("ctok_***", str(value))
    return value


_MASK = _Masked()


def _quiet() -> None:
    """Adding the same filter again does nothing."""
    logging.getLogger("httpx").addFilter(_MASK)


def lost(why: httpx.TransportError, timeout_s: float) -> NoAnswerError:
    """What a failure of the connection is for a caller."""
    sent = not isinstance(why, _NEVER_SENT)
    if isinstance(why, httpx.TimeoutException):
        return CallTimeoutError(f"The server kept silent for {timeout_s:g} s", sent=sent)
    return NoAnswerError("The server could not be reached, or the connection was lost", sent=sent)


def _read(answer: httpx.Response, content: bytes) -> Answer:
    return Answer(answer.status_code, answer.headers, content)


class _Flight(Generic[E]):
    """A request for a token that several callers wait for."""

    def __init__(self, done: E) -> None:
        self.done = done
        self.token: Optional[str] = None
        self.error: Optional[Exception] = None

    def result(self) -> Optional[str]:
        """``None``: who asked gave up without a result."""
        if self.error is not None:
            raise self.error
        return self.token


class Transport:
    """Sends calls. Any number of threads may use it."""

    def __init__(
        self, settings: Settings, source: Source, http: Optional[httpx.Client] = None
    ) -> None:
        _quiet()
        self.settings = settings
        self._source = source
        self._owned = http is None
        self._http = http or httpx.Client(follow_redirects=False)
        self._lock = threading.Lock()
        self._flight: Optional[_Flight[threading.Event]] = None

    def close(self) -> None:
        if self._owned:
            self._http.close()

    def send(self, call: Call, read: Callable[[Any], T], options: Optional[CallOptions]) -> T:
        return read(read_json(self._run(exchange(self.settings, call, options))))

    def open(self, call: Call, options: Optional[CallOptions]) -> Answer:
        return self._run(opening(self.settings, call, options))

    def _run(self, steps: Steps) -> Answer:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if isinstance(step, Wait):
                time.sleep(step.seconds)
                outcome = None
            elif isinstance(step, Token):
                outcome = self._bearer(step.refused)
            elif isinstance(step, Drain):
                outcome = self._drained(step.answer)
            else:
                outcome = self._sent(step)

    def _sent(self, step: Union[Send, Open]) -> Union[Answer, NoAnswerError]:
        request = _built(self._http, step.request)
        try:
            answer = self._http.send(request, stream=True, auth=None, follow_redirects=False)
            if isinstance(step, Open):
                return Answer(answer.status_code, answer.headers, stream=answer)
            with _Closing(answer):
                return _read(answer, answer.read())
        except httpx.LocalProtocolError as why:
            raise InvalidOptionError(f"This cannot be sent: {why}") from why
        except httpx.TransportError as why:
            return _because(lost(why, step.request.timeout_s), why)

    def _drained(self, answer: Answer) -> Answer:
        try:
            with _Closing(answer.stream):
                return _read(answer.stream, answer.stream.read())
        except httpx.TransportError:
            return Answer(answer.status, answer.headers)

    def _bearer(self, refused: Optional[str]) -> str:
        """The token; callers at the same time share one request for it, and its failure."""
        while True:
            with self._lock:
                token = self._source.held(refused)
                if token is not None or not isinstance(self._source, Grant):
                    return token or ""
                flight = self._flight
                leads = flight is None
                if flight is None:
                    flight = self._flight = _Flight(threading.Event())
            if leads:
                return self._fetch(flight, self._source)
            flight.done.wait()
            shared = flight.result()
            if shared is not None:
                return shared

    def _fetch(self, flight: _Flight[threading.Event], grant: Grant) -> str:
        try:
            answer = self._run(exchange(self.settings, grant.call(), None))
            flight.token = grant.take(answer)
            return flight.token
        except Exception as why:
            flight.error = why
            raise
        finally:
            with self._lock:
                self._flight = None
            flight.done.set()


class AsyncTransport:
    """Sends calls. Any number of tasks of one event loop may use it."""

    def __init__(
        self, settings: Settings, source: Source, http: Optional[httpx.AsyncClient] = None
    ) -> None:
        _quiet()
        self.settings = settings
        self._source = source
        self._owned = http is None
        self._http = http or httpx.AsyncClient(follow_redirects=False)
        self._flight: Optional[_Flight[anyio.Event]] = None

    async def close(self) -> None:
        if self._owned:
            await self._http.aclose()

    async def send(self, call: Call, read: Callable[[Any], T], options: Optional[CallOptions]) -> T:
        return read(read_json(await self._run(exchange(self.settings, call, options))))

    async def open(self, call: Call, options: Optional[CallOptions]) -> Answer:
        return await self._run(opening(self.settings, call, options))

    async def _run(self, steps: Steps) -> Answer:
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if isinstance(step, Wait):
                await anyio.sleep(step.seconds)
                outcome = None
            elif isinstance(step, Token):
                outcome = await self._bearer(step.refused)
            elif isinstance(step, Drain):
                outcome = await self._drained(step.answer)
            else:
                outcome = await self._sent(step)

    async def _sent(self, step: Union[Send, Open]) -> Union[Answer, NoAnswerError]:
        request = _built(self._http, step.request)
        try:
            answer = await self._http.send(request, stream=True, auth=None, follow_redirects=False)
            if isinstance(step, Open):
                return Answer(answer.status_code, answer.headers, stream=answer)
            async with _Closing(answer):
                return _read(answer, await answer.aread())
        except httpx.LocalProtocolError as why:
            raise InvalidOptionError(f"This cannot be sent: {why}") from why
        except httpx.TransportError as why:
            return _because(lost(why, step.request.timeout_s), why)

    async def _drained(self, answer: Answer) -> Answer:
        try:
            async with _Closing(answer.stream):
                return _read(answer.stream, await answer.stream.aread())
        except httpx.TransportError:
            return Answer(answer.status, answer.headers)

    async def _bearer(self, refused: Optional[str]) -> str:
        """The token; callers at the same time share one request for it, and its failure."""
        while True:
            token = self._source.held(refused)
            if token is not None or not isinstance(self._source, Grant):
                return token or ""
            flight = self._flight
            if flight is None:
                flight = self._flight = _Flight(anyio.Event())
                return await self._fetch(flight, self._source)
            await flight.done.wait()
            shared = flight.result()
            if shared is not None:
                return shared

    async def _fetch(self, flight: _Flight[anyio.Event], grant: Grant) -> str:
        try:
            answer = await self._run(exchange(self.settings, grant.call(), None))
            flight.token = grant.take(answer)
            return flight.token
        except Exception as why:
            flight.error = why
            raise
        finally:
            # Also when this task was cancelled: then another one of those that wait asks.
            self._flight = None
            flight.done.set()


class _Closing:
    """Gives a response's connection back, or ends it.

    A server that refuses a call has perhaps not read its body; then it ends the connection, without
    a word, and who uses it again loses the next call.
    """

    def __init__(self, answer: httpx.Response) -> None:
        self._answer = answer

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        stream = self._ended()
        if stream is not None:
            stream.close()

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        await self._answer.aclose()
        stream = self._ended()
        if stream is not None:
            await stream.aclose()

    def _ended(self) -> Any:
        had_body = {"content-length", "transfer-encoding"} & self._answer.request.headers.keys()
        if self._answer.status_code < 400 or not had_body:
            return None
        return self._answer.extensions.get("network_stream")


def _because(error: NoAnswerError, why: Exception) -> NoAnswerError:
    error.__cause__ = why
    return error


def _built(http: Union[httpx.Client, httpx.AsyncClient], request: Request) -> httpx.Request:
    try:
        return http.build_request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.content,
            timeout=request.timeout_s,
        )
    except (httpx.InvalidURL, UnicodeEncodeError, TypeError) as why:
        raise InvalidOptionError(f"This cannot be sent: {why}") from why
