"""Client for Grantkeep: connect your users' accounts, and act with them."""

from . import models
from ._async.client import AsyncGrantkeep
from ._async.listing import AsyncListing
from ._async.proxy import AsyncAppAnswer
from ._sync.client import Grantkeep
from ._sync.listing import Listing
from ._sync.proxy import AppAnswer
from .calls import UNSET, VERSION, CallOptions
from .credentials import KeyPair
from .errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    CallTimeoutError,
    ConfirmError,
    ConflictError,
    GoneError,
    GrantkeepError,
    InvalidOptionError,
    NoAnswerError,
    NotBuiltError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TooLargeError,
    UnexpectedAnswerError,
    WebhookInvalidError,
)
from .links import connect_link
from .pages import Page
from .webhooks import verify_webhook

__version__ = VERSION

__all__ = [
    "APIError",
    "AppAnswer",
    "AsyncAppAnswer",
    "AsyncGrantkeep",
    "AsyncListing",
    "AuthenticationError",
    "BadRequestError",
    "CallOptions",
    "CallTimeoutError",
    "ConfirmError",
    "ConflictError",
    "GoneError",
    "Grantkeep",
    "GrantkeepError",
    "InvalidOptionError",
    "KeyPair",
    "Listing",
    "NoAnswerError",
    "NotBuiltError",
    "NotFoundError",
    "Page",
    "PermissionDeniedError",
    "RateLimitedError",
    "ServerError",
    "TooLargeError",
    "UNSET",
    "UnexpectedAnswerError",
    "WebhookInvalidError",
    "connect_link",
    "models",
    "verify_webhook",
]
