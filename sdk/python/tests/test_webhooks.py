"""Only what the server signed, and signed lately, is news."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any, Dict

import pytest

from grantkeep import InvalidOptionError, WebhookInvalidError, verify_webhook

NOW = 1_790_000_000
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"type":"account.dead","data":{"name":"Jörg"}}'.encode()


def standard(key: bytes = KEY, at: int = NOW, body: bytes = BODY) -> Dict[str, str]:
    tag = hmac.new(key, f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": "v1," + base64.b64encode(tag).decode(),
    }


def older(secret: str = SECRET, at: int = NOW, body: bytes = BODY) -> Dict[str, str]:
    tag = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-PD-Signature": f"t={at},v1={'0' * 64},v1={tag}"}


def verified(headers: Any, body: Any = BODY, secret: Any = SECRET, **more: Any) -> Any:
    return verify_webhook(headers, body, secret, now_s=NOW, **more)


def test_news_in_both_forms_is_believed() -> None:
    for headers in (standard(), older(), {k.lower(): v for k, v in standard().items()}):
        assert verified(headers)["data"] == {"name": "Jörg"}
        assert verified(headers, BODY.decode())["type"] == "account.dead"
    assert verified(standard(), secret=["whsec_AAAA", SECRET])
    two = standard()
    two["Webhook-Signature"] = "v1a,xx v1,AAAA " + two["Webhook-Signature"]
    assert verified(two)


def test_what_is_not_ours_is_not() -> None:
    for headers, body in (
        ({}, BODY),
        (standard(b"another key"), BODY),
        (standard(), BODY + b" "),
        (older("another"), BODY),
        ({**standard(), "Webhook-Id": "msg_2"}, BODY),
        ({**standard(), "Webhook-Timestamp": str(NOW + 1)}, BODY),
        ({**standard(), "Webhook-Signature": ""}, BODY),
        ({**standard(), "Webhook-Signature": "v1,"}, BODY),
        ({**standard(), "Webhook-Signature": "v2," + "A" * 44}, BODY),
        ({"X-PD-Signature": f"t={NOW}"}, BODY),
        ({"X-PD-Signature": f"t={NOW},v1=zz"}, BODY),
        (standard(body=b"[]"), b"[]"),
        (standard(body=b"\xff"), b"\xff"),
    ):
        with pytest.raises(WebhookInvalidError):
            verified(headers, body)
    # A secret that is no base64 has no key: nothing is signed with it.
    with pytest.raises(WebhookInvalidError):
        verified(standard(b""), secret="whsec_!")


def test_what_is_old_is_refused_by_the_second() -> None:
    assert verified(standard(at=NOW - 300)) and verified(standard(at=NOW + 300))
    for at in (NOW - 301, NOW + 301):
        with pytest.raises(WebhookInvalidError, match="old"):
            verified(standard(at=at))
    assert verified(standard(at=NOW - 900), tolerance_s=900)
    for odd in ("nan", "-1", "1e9", "٣"):
        with pytest.raises(WebhookInvalidError):
            verified({**standard(), "Webhook-Timestamp": odd})


def test_wrong_use_is_told_apart_from_wrong_news() -> None:
    for secret in ("", [], [""], [SECRET, ""]):
        with pytest.raises(InvalidOptionError):
            verified(standard(), secret=secret)
    with pytest.raises(InvalidOptionError):
        verified(standard(), {"type": "parsed"})
