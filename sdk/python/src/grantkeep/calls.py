"""How a call goes, without sending a byte: what is sent, when again, and what the answer means.

:func:`exchange` and :func:`opening` are generators. They yield what is to be done (:class:`Send`,
:class:`Wait`, :class:`Token`, ...), and are given what came of it. Who does it, waiting or with
``await``, is in ``transport.py``: so both clients behave alike, because they run the same lines.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Dict, Generator, List, Mapping, Optional, Sequence, Tuple, Union
from urllib.parse import quote, urlencode, urlsplit

from .errors import (
    APIError,
    InvalidOptionError,
    NoAnswerError,
    UnexpectedAnswerError,
    class_for,
)

VERSION = "0.1.0"
#: Seconds that connecting, and each silence of the server, may last unless told otherwise.
TIMEOUT_S = 60.0
#: Further attempts after the first, unless told otherwise.
RETRIES = 2
#: The longest wait that is sat out. If the server asks for more, the call fails and says so.
WAIT_S_MAX = 60.0
BACKOFF_S = 0.3
#: On what the server itself answers, and on nothing that an app answered.
ERROR_HEADER = "x-grantkeep-error"
#: Calls that may be sent twice with the effect of one (RFC 9110, 9.2.2).
IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
#: Query parameters that hold a call to one thing. An empty one would let it reach all of them, so it
#: is refused, and so is ``None``: neither is what somebody meant who gave one.
HOLDING = frozenset(
    {
        "account_id",
        "app",
        "app_id",
        "app_override_id",
        "endpoint",
        "external_user_id",
        "oauth_app_id",
    }
)
#: Failures of the server that no second attempt mends.
LASTING = frozenset({501, 505})


class Unset:
    """Stands for a field that is not sent. ``None`` is sent as ``null``."""

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> bool:
        return False


UNSET = Unset()

Plain = Union[str, int, float, bool]
QueryValue = Union[None, Unset, Plain, Sequence[Plain]]


@dataclass(frozen=True)
class CallOptions:
    """For one call."""

    #: Seconds that connecting, and each silence of the server, may last.
    timeout_s: Optional[float] = None
    #: Further attempts after the first.
    retries: Optional[int] = None
    #: Sent as ``Idempotency-Key``. Servers do not look at it yet, so nothing is repeated for it.
    idempotency_key: Optional[str] = None
    #: The token of a limit of your own that the call counts to.
    rate_limit: Optional[str] = None


@dataclass(frozen=True)
class Settings:
    """What all calls of a client have in common."""

    base_url: str
    environment: Optional[str] = None
    project_id: Optional[str] = None
    #: Whether the credential says by itself which project is meant.
    project_implied: bool = False
    #: Whether a new bearer may do better after a 401.
    renewable: bool = False
    #: The token of a limit that all calls count to.
    rate_limit: Optional[str] = None
    timeout_s: float = TIMEOUT_S
    retries: int = RETRIES


@dataclass(frozen=True)
class Call:
    method: str
    #: As it is sent, encoded; see :func:`path`.
    path: str
    query: Mapping[str, QueryValue] = field(default_factory=dict)
    #: Sent as JSON. Fields that are :data:`UNSET` are left out.
    body: Optional[Mapping[str, Any]] = field(default=None, repr=False)
    #: A body that is sent as it is, in the place of ``body``.
    raw: Any = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: A bearer for this call only.
    bearer: Optional[str] = field(default=None, repr=False)
    #: For calls that take none.
    anonymous: bool = False
    #: A POST that does no harm when it is done twice.
    repeatable: bool = False
    #: A PUT whose answer comes once, or that fails when it was done before.
    once: bool = False
    #: Whether an app answers: then a failing status is no failure of the call.
    of_app: bool = False
    #: Makes the body anew for each attempt, where one may be used once only.
    fresh_body: Optional[Callable[[], Mapping[str, Any]]] = field(default=None, repr=False)


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    content: Any = field(repr=False)
    timeout_s: float = TIMEOUT_S


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(default=b"", repr=False)
    #: The open response, where its body is still coming.
    stream: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Send:
    """Send it and read the answer. Gives an :class:`Answer` or a :class:`NoAnswerError`."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send it and give the answer while its body is still coming; or a :class:`NoAnswerError`."""

    request: Request


@dataclass(frozen=True)
class Drain:
    """Read the rest of an open answer. Gives it with its content."""

    answer: Answer


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Token:
    """Give a bearer, and another one than ``refused``."""

    refused: Optional[str] = field(default=None, repr=False)


Step = Union[Send, Open, Drain, Wait, Token]
Outcome = Union[Answer, NoAnswerError, str, None]
Steps = Generator[Step, Outcome, Answer]


def exchange(settings: Settings, call: Call, options: Optional[CallOptions]) -> Steps:
    """Sends until it is done, or until sending again would be wrong or in vain."""
    options = options or CallOptions()
    most = settings.retries if options.retries is None else options.retries
    refused: Optional[str] = None
    attempt = 0
    while True:
        bearer = yield from _bearer(settings, call, refused)
        outcome = yield Send(_request(settings, call, options, bearer))
        if isinstance(outcome, Answer) and outcome.status < 300:
            return outcome
        if isinstance(outcome, Answer) and outcome.status == 401:
            # A 401 says that nothing was done, so this is safe for every method.
            if _may_renew(settings, call) and refused is None:
                refused = bearer
                continue
        error = outcome if isinstance(outcome, NoAnswerError) else refusal(_answer(outcome))
        if isinstance(error, APIError) and error.status == 404:
            # The answer to an earlier attempt was lost, not the deletion.
            if call.method == "DELETE" and attempt > 0:
                return Answer(204, {})
        wait_s = _wait_s(error, attempt)
        if attempt >= most or wait_s > WAIT_S_MAX or not _again(call, error):
            raise error
        yield Wait(wait_s)
        attempt += 1


def opening(settings: Settings, call: Call, options: Optional[CallOptions]) -> Steps:
    """Sends once and gives the answer while its body is still coming, whatever its status.

    Only what the server itself refuses is raised; what an app answered is given back.
    """
    options = options or CallOptions()
    bearer = yield from _bearer(settings, call, None)
    answer = yield from _opened(settings, call, options, bearer)
    # Only the server's own 401 is about the bearer, and a stream that was sent is gone.
    if answer.status == 401 and is_ours(answer) and _may_renew(settings, call):
        if call.raw is None or isinstance(call.raw, (bytes, str)):
            yield Drain(answer)
            bearer = yield from _bearer(settings, call, bearer)
            answer = yield from _opened(settings, call, options, bearer)
    if is_ours(answer) or (answer.status >= 300 and not call.of_app):
        raise refusal(_answer((yield Drain(answer))))
    return answer


def is_ours(answer: Answer) -> bool:
    """Whether the server itself answers, and not an app through it."""
    return ERROR_HEADER in answer.headers


def _opened(
    settings: Settings, call: Call, options: CallOptions, bearer: Optional[str]
) -> Generator[Step, Outcome, Answer]:
    outcome = yield Open(_request(settings, call, options, bearer))
    if isinstance(outcome, NoAnswerError):
        raise outcome
    return _answer(outcome)


def _answer(outcome: Outcome) -> Answer:
    assert isinstance(outcome, Answer)
    return outcome


def _bearer(
    settings: Settings, call: Call, refused: Optional[str]
) -> Generator[Step, Outcome, Optional[str]]:
    if call.anonymous:
        return None
    if call.bearer is not None:
        return call.bearer
    given = yield Token(refused)
    assert isinstance(given, str)
    return given


def _may_renew(settings: Settings, call: Call) -> bool:
    return settings.renewable and not call.anonymous and call.bearer is None


def _again(call: Call, error: Union[APIError, NoAnswerError]) -> bool:
    """Whether sending the call again may do better, and does no harm.

    What a server refused for its load (429), and what was never sent, was not done.
    """
    harmless = call.repeatable or (call.method in IDEMPOTENT and not call.once)
    if isinstance(error, NoAnswerError):
        return harmless or not error.sent
    if error.status == 429:
        return True
    passes = error.status == 408 or (error.status >= 500 and error.status not in LASTING)
    return harmless and passes


def _wait_s(error: Union[APIError, NoAnswerError], attempt: int) -> float:
    if isinstance(error, APIError) and error.retry_after_s is not None:
        return error.retry_after_s
    return BACKOFF_S * float(2**attempt) * (0.5 + random.random())


def _request(
    settings: Settings, call: Call, options: CallOptions, bearer: Optional[str]
) -> Request:
    headers: Dict[str, str] = {
        "accept": "application/json",
        "user-agent": f"grantkeep-python/{VERSION}",
    }
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    if settings.environment is not None:
        headers["x-pd-environment"] = settings.environment
    if options.idempotency_key is not None:
        headers["idempotency-key"] = options.idempotency_key
    rate_limit = options.rate_limit or settings.rate_limit
    if rate_limit is not None and not call.anonymous:
        headers["x-pd-rate-limit"] = rate_limit
    content = call.raw
    body = call.fresh_body() if call.fresh_body is not None else call.body
    if body is not None:
        headers["content-type"] = "application/json"
        sent = {name: it for name, it in body.items() if not isinstance(it, Unset)}
        content = as_json(sent).encode()
    headers.update(call.headers)
    return Request(
        call.method,
        settings.base_url + call.path + _query_text(call.query),
        headers,
        content,
        settings.timeout_s if options.timeout_s is None else options.timeout_s,
    )


def _query_text(query: Mapping[str, QueryValue]) -> str:
    for name in HOLDING & query.keys():
        if query[name] is None or query[name] == "":
            raise InvalidOptionError(f"{name} is empty. To reach all of them, leave it out.")
    pairs = pairs_of(query)
    return f"?{urlencode(pairs, quote_via=quote, safe='')}" if pairs else ""


def pairs_of(query: Mapping[str, QueryValue]) -> List[Tuple[str, str]]:
    """Name and value; what has several values comes several times."""
    pairs: List[Tuple[str, str]] = []
    for name, value in query.items():
        if value is None or isinstance(value, Unset):
            continue
        several = [value] if isinstance(value, (str, int, float, bool)) else value
        pairs.extend((name, _plain(it)) for it in several)
    return pairs


def _plain(value: Plain) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(value: Any) -> str:
    """JSON of a value, which says clearly what cannot be sent."""
    try:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as why:
        raise InvalidOptionError(f"This cannot be sent as JSON: {why}") from why


def path(settings: Settings, template: str, *parts: str) -> str:
    """The template with the client's project and the parts in their places, encoded.

    ``{project?}`` may be missing where the credential says which one is meant.
    """
    if settings.project_implied and not settings.project_id:
        template = template.replace("/{project?}", "")
    template = template.replace("{project?}", "{project}")
    if "{project}" in template:
        if not settings.project_id:
            raise InvalidOptionError("This call needs a project_id: give it to the client")
        template = template.replace("{project}", segment(settings.project_id, "project_id"))
    for part in parts:
        at = template.index("{")
        end = template.index("}", at)
        template = template[:at] + segment(part, template[at + 1 : end]) + template[end + 1 :]
    return template


def segment(value: str, name: str) -> str:
    """One segment of a path, encoded."""
    if not isinstance(value, str):
        raise InvalidOptionError(f"{name} is a text, and not {type(value).__name__}")
    if not value:
        raise InvalidOptionError(f"{name} is empty")
    if value in (".", ".."):
        # Every program on the way would take it for a step within the path.
        raise InvalidOptionError(f"{name} cannot be {value!r} within an address")
    return quote(value, safe="")


def clean_base(address: str) -> str:
    """The base address without a slash at its end."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
        _ = parts.port
    except ValueError as why:
        raise InvalidOptionError(f"base_url is not an address: {address!r}") from why
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidOptionError("base_url has to begin with https:// or http://, and a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidOptionError("base_url is an origin and perhaps a path, and nothing else")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def origin(base_url: str) -> str:
    """Scheme, host and port of a base address."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}"


def clean_environment(given: str) -> str:
    if given not in ("development", "production"):
        text = f"environment is 'development' or 'production', not {given!r}"
        raise InvalidOptionError(text)
    return given


def read_json(answer: Answer) -> Any:
    """What the answer says; ``None`` if nothing."""
    if not answer.content.strip():
        return None
    try:
        return json.loads(answer.content)
    except ValueError as why:
        text = "The server answered with something that is not JSON. Is base_url right?"
        raise UnexpectedAnswerError(text) from why


def refusal(answer: Answer) -> APIError:
    """The error that an answer stands for."""
    try:
        said = json.loads(answer.content)
    except ValueError:
        said = None
    said = said if isinstance(said, dict) else {}
    # RFC 6749, 5.2: at the token endpoint `error` is the word, and the text stands beside it.
    text = said.get("error_description", said.get("error"))
    word = said.get("error") if "error_description" in said else said.get("code")
    details = said.get("details")
    return class_for(answer.status)(
        text if isinstance(text, str) else f"The server answered {answer.status}",
        status=answer.status,
        code=word if isinstance(word, str) else f"http_{answer.status}",
        request_id=answer.headers.get("x-request-id"),
        details=details if isinstance(details, dict) else None,
        retry_after_s=_retry_after_s(answer.headers.get("retry-after")),
    )


def _retry_after_s(value: Optional[str]) -> Optional[float]:
    """``Retry-After``: seconds or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return max(0.0, (at - datetime.now(timezone.utc)).total_seconds())
