"""Clients that prove themselves with a key."""

from __future__ import annotations

import base64
import json
from typing import Any, Dict, List, Tuple

import httpx
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from pretend import BASE, TOKEN, Pretend, reply

from grantkeep import APIError, Grantkeep, InvalidOptionError, KeyPair


def pem(key: Any) -> str:
    return str(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
    )


def bytes_of(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def taken_apart(assertion: str) -> Tuple[Dict[str, Any], Dict[str, Any], bytes, bytes]:
    head, claims, tag = assertion.split(".")
    return (
        json.loads(bytes_of(head)),
        json.loads(bytes_of(claims)),
        f"{head}.{claims}".encode(),
        bytes_of(tag),
    )


def test_each_attempt_proves_itself_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grantkeep.transport.time.sleep", lambda _: None)
    key = ec.generate_private_key(ec.SECP256R1())
    sent: List[Dict[str, Any]] = []

    def answer(request: httpx.Request, nth: int) -> Any:
        if request.url.path != "/v1/oauth/token":
            return reply(200, [])
        sent.append(json.loads(request.content))
        return reply(503) if nth == 1 else reply(200, TOKEN)

    pair = KeyPair(pem(key), key_id="k-1")
    client = Pretend(answer).client(client_id="cid", key_pair=pair)
    client.app_categories.list()
    ids = set()
    for it in sent:
        assert it["client_assertion_type"].endswith(":jwt-bearer") and "client_secret" not in it
        head, claims, signed, tag = taken_apart(it["client_assertion"])
        assert head == {"alg": "ES256", "typ": "client-authentication+jwt", "kid": "k-1"}
        assert (claims["iss"], claims["sub"], claims["aud"]) == ("cid", "cid", BASE)
        assert claims["exp"] - claims["iat"] == 60
        ids.add(claims["jti"])
        r, s = int.from_bytes(tag[:32], "big"), int.from_bytes(tag[32:], "big")
        signature = utils.encode_dss_signature(r, s)
        key.public_key().verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    assert len(ids) == 2 and "PRIVATE" not in repr(pair)


def test_rsa_keys_sign_too_and_others_are_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    head, claims, signed, tag = taken_apart(KeyPair(pem(key)).assertion("c", "https://x"))
    assert head["alg"] == "RS256" and "kid" not in head and claims["aud"] == "https://x"
    key.public_key().verify(tag, signed, padding.PKCS1v15(), hashes.SHA256())
    wrong = [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())]
    for text in ["", "no key", *map(pem, wrong)]:
        with pytest.raises(InvalidOptionError) as refused:
            KeyPair(text)
        assert "PRIVATE KEY" not in str(refused.value)


def test_a_client_has_a_secret_or_a_key_and_not_both() -> None:
    pair = KeyPair(pem(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(InvalidOptionError):
        Grantkeep(BASE, client_id="c", client_secret="s", key_pair=pair)
    refusing = Pretend(lambda _, __: reply(401, {"error": "invalid_client"}))
    with pytest.raises(APIError):
        refusing.client(client_id="c", key_pair=pair).app_categories.list()
