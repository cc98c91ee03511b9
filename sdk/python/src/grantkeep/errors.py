"""What can go wrong with a call. Catch classes, branch on ``code``; texts are for people."""

from __future__ import annotations

from typing import Any, Mapping, Optional


class GrantkeepError(Exception):
    """All that this package raises."""

    #: A stable word for what happened.
    code: str = "error"

    def __init__(self, message: str, *, code: Optional[str] = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    def __reduce__(self) -> Any:
        """For task queues, which pickle what went wrong."""
        return _again, (type(self), self.args, self.__dict__)


class InvalidOptionError(GrantkeepError, ValueError):
    """The call is wrong in itself, and nothing was sent."""

    code = "invalid_option"


class NoAnswerError(GrantkeepError):
    """The server could not be reached, or the connection was lost.

    Unless ``sent`` is false, the call may have been done.
    """

    code = "network"

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class CallTimeoutError(NoAnswerError):
    """The server kept silent for longer than ``timeout_s``."""

    code = "timeout"


class UnexpectedAnswerError(GrantkeepError):
    """What came back is not what this server sends. Is ``base_url`` right?"""

    code = "unexpected_answer"


class WebhookInvalidError(GrantkeepError):
    """The request is not the server's: answer 400, and believe nothing of it."""

    code = "webhook_invalid"


class APIError(GrantkeepError):
    """The server refused the call, or failed."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        request_id: Optional[str] = None,
        details: Optional[Mapping[str, Any]] = None,
        retry_after_s: Optional[float] = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        #: Names the call in the server's log.
        self.request_id = request_id
        #: What the server added: for example the field that it refused.
        self.details: Mapping[str, Any] = details or {}
        #: Seconds until the same call may do better, where the server says so.
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        named = f", request {self.request_id}" if self.request_id else ""
        return f"{self.message} ({self.status} {self.code}{named})"


class BadRequestError(APIError):
    """400 or 422: what was sent is wrong; ``details`` often names the field."""


class AuthenticationError(APIError):
    """401: the credential is unknown, revoked or at its end."""


class PermissionDeniedError(APIError):
    """403: the credential is good and may not do this."""


class NotFoundError(APIError):
    """404: there is no such thing in this project and environment."""


class ConflictError(APIError):
    """409: it does not fit to how things are; ``details`` may say what is in the way."""


class GoneError(APIError):
    """410: it was there, and its time is over."""


class TooLargeError(APIError):
    """413 or 431: send less."""


class RateLimitedError(APIError):
    """429: too many calls. Nothing was done."""


class NotBuiltError(APIError):
    """501: this server cannot do that yet; the text says what to do instead."""


class ServerError(APIError):
    """Any other 5xx: the server's fault."""


class ConfirmError(APIError):
    """Why a flow was not confirmed.

    Unless ``reason`` is ``not_found`` or ``flow_used``, nothing was connected and the flow is over.
    """

    def __init__(self, of: APIError) -> None:
        super().__init__(
            of.message,
            status=of.status,
            code=of.code,
            request_id=of.request_id,
            details=of.details,
            retry_after_s=of.retry_after_s,
        )
        told = self._told("reason") if of.code == "connection_failed" else None
        #: ``user_mismatch``: another user came back than the one whom the token was made for.
        #: ``unconfirmed``: too late. ``flow_used``: confirmed or refused before. ``not_found``: no
        #: such flow. Otherwise what failed at the app: ``provider_refused``, ...
        self.reason: str = told or of.code
        #: Where the browser may be sent to read how it ended.
        self.redirect_uri = self._told("redirect_uri")
        #: With ``flow_used``: the account, if this user's confirmation had connected one before.
        self.account_id = self._told("account_id")

    def _told(self, name: str) -> Optional[str]:
        value = self.details.get(name)
        return value if isinstance(value, str) else None


_BY_STATUS: Mapping[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: TooLargeError,
    422: BadRequestError,
    429: RateLimitedError,
    431: TooLargeError,
    501: NotBuiltError,
}


def class_for(status: int) -> type[APIError]:
    """The class of errors with this status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIError)


def _again(kind: type[GrantkeepError], args: Any, state: Mapping[str, Any]) -> GrantkeepError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
