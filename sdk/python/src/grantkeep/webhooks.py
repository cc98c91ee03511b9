"""Checks that news is the server's."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

from .errors import InvalidOptionError, WebhookInvalidError

#: Seconds. What is older or newer is refused, so that it cannot be played again.
TOLERANCE_S = 300.0
_PREFIX = "whsec_"
_SECONDS = re.compile(r"[0-9]{1,12}\Z")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+\Z")


def verify_webhook(
    headers: Mapping[str, Any],
    body: Union[bytes, str],
    secret: Union[str, Sequence[str]],
    *,
    tolerance_s: float = TOLERANCE_S,
    now_s: Optional[float] = None,
) -> Dict[str, Any]:
    """Gives the news in a request, if it is signed with (one of) ``secret`` and not old.

    ``body`` is what came, byte for byte, before any JSON parser. ``secret`` may be several while
    one is being changed. ``now_s`` is for tests.

    Raises:
        WebhookInvalidError: Answer 400, and believe nothing of it.
    """
    secrets = [secret] if isinstance(secret, str) else list(secret or ())
    if not secrets or not all(isinstance(it, str) and it for it in secrets):
        raise InvalidOptionError("Give the signing secret of the endpoint")
    data = _bytes(body)
    claim = _standard_claim(headers) or _older_claim(headers)
    if claim is None:
        raise WebhookInvalidError("The request is not signed")
    off_s = abs((time.time() if now_s is None else now_s) - claim.at_s)
    # Written so that a time that is no number is refused too.
    if not off_s <= tolerance_s:
        raise WebhookInvalidError("The request is too old, or its time is none")
    ours = False
    for key in map(claim.key_of, secrets):
        tag = hmac.new(key, claim.before + data, hashlib.sha256).digest()
        for given in claim.tags:
            # All are compared, each in constant time.
            ours = (bool(key) and hmac.compare_digest(tag, given)) or ours
    if not ours:
        raise WebhookInvalidError("The signature is not one of this secret")
    return _parsed(data)


@dataclass(frozen=True)
class _Claim:
    """What a request says of itself."""

    at_s: float
    #: What is signed before the body.
    before: bytes
    tags: List[bytes]
    key_of: Callable[[str], bytes]


def _standard_claim(headers: Mapping[str, Any]) -> Optional[_Claim]:
    """Standard Webhooks 1.0."""
    signature = _header(headers, "webhook-signature")
    name = _header(headers, "webhook-id")
    at = _header(headers, "webhook-timestamp")
    if not signature or not name or not at:
        return None
    tags = [_base64(it[3:]) for it in signature.split(" ") if it.startswith("v1,")]
    return _Claim(_seconds(at), f"{name}.{at}.".encode(), tags, _standard_key)


def _standard_key(secret: str) -> bytes:
    return _base64(secret[len(_PREFIX) :] if secret.startswith(_PREFIX) else secret)


def _older_claim(headers: Mapping[str, Any]) -> Optional[_Claim]:
    """The form that older clients know: ``t=..,v1=..``, keyed with the secret's text as it is."""
    parts = [it.strip() for it in (_header(headers, "x-pd-signature") or "").split(",")]
    at = next((it[2:] for it in parts if it.startswith("t=")), None)
    if not at:
        return None
    tags = [_hex(it[3:]) for it in parts if it.startswith("v1=")]
    return _Claim(_seconds(at), f"{at}.".encode(), tags, str.encode)


def _header(headers: Mapping[str, Any], name: str) -> Optional[str]:
    for key, value in headers.items():
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        if key.lower() == name:
            value = value.decode("latin-1") if isinstance(value, bytes) else value
            return value if isinstance(value, str) else None
    return None


def _bytes(body: Union[bytes, str]) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    raise InvalidOptionError("Give the body as it came, not parsed: bytes or a string")


def _seconds(text: str) -> float:
    return float(text) if _SECONDS.match(text) else float("nan")


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _hex(text: str) -> bytes:
    return bytes.fromhex(text) if _HEX.match(text) else b""


def _parsed(data: bytes) -> Dict[str, Any]:
    try:
        news = json.loads(data)
    except ValueError:
        news = None
    if not isinstance(news, dict):
        raise WebhookInvalidError("The body is not a JSON object")
    return news
