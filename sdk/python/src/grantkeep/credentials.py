"""What a client proves itself with, and the access tokens that it gets for it."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Union

from .calls import Answer, Call, origin, read_json
from .errors import InvalidOptionError, UnexpectedAnswerError

#: A token is given up so many seconds before its end, so that a call begun with it can finish.
MARGIN_S = 120.0
#: A server takes an assertion for so many seconds.
ASSERTION_S = 60
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RSA_BITS_MIN = 2048


class Fixed:
    """A credential that is sent as it is: an API key, an access token, a connect token."""

    renewable = False

    def __init__(self, bearer: str) -> None:
        if not bearer:
            raise InvalidOptionError("The credential is empty")
        self._bearer = bearer

    def held(self, refused: Optional[str]) -> Optional[str]:
        return self._bearer


@dataclass(frozen=True)
class KeyPair:
    """The private key of a client that has no secret (RFC 7523, ``private_key_jwt``).

    Needs the package ``cryptography``: ``pip install 'grantkeep[keys]'``.
    """

    #: PEM: P-256 for ES256, or RSA for RS256.
    private_key: str = field(repr=False)
    #: The name of the key, if the client has several.
    key_id: Optional[str] = None
    _loaded: Any = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_loaded", _load(self.private_key))

    def assertion(self, client_id: str, audience: str) -> str:
        """A fresh proof; each may be used once."""
        algorithm, sign = self._loaded
        now = int(time.time())
        head: Dict[str, Any] = {"alg": algorithm, "typ": "client-authentication+jwt"}
        if self.key_id is not None:
            head["kid"] = self.key_id
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "exp": now + ASSERTION_S,
            "jti": secrets.token_urlsafe(24),
        }
        signed = f"{_part(head)}.{_part(claims)}"
        return f"{signed}.{_text(sign(signed.encode()))}"


class Grant:
    """Gets access tokens and keeps the last one (RFC 6749, 4.4)."""

    renewable = True

    def __init__(
        self,
        client_id: str,
        proof: Union[str, KeyPair],
        audience: str,
        scope: Optional[str] = None,
    ) -> None:
        self._client_id = client_id
        self._proof = proof
        self._audience = audience
        self._scope = scope
        self._token: Optional[str] = None
        self._until_s = 0.0

    def held(self, refused: Optional[str]) -> Optional[str]:
        """The token, if it is still good and not the one that was refused."""
        if self._token is None or self._token == refused or time.time() >= self._until_s:
            return None
        return self._token

    def call(self) -> Call:
        """Asks for a token. Each attempt proves itself anew, so it may be repeated."""
        return Call(
            "POST", "/v1/oauth/token", fresh_body=self._body, anonymous=True, repeatable=True
        )

    def take(self, answer: Answer) -> str:
        """Keeps the token of an answer."""
        said = read_json(answer)
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not token:
            raise UnexpectedAnswerError("The server gave no access token. Is base_url right?")
        life = said.get("expires_in")
        life_s = float(life) if isinstance(life, (int, float)) and life > 0 else 0.0
        useful_s = life_s - MARGIN_S if life_s > 2 * MARGIN_S else life_s / 2
        self._token, self._until_s = token, time.time() + useful_s
        return token

    def _body(self) -> Mapping[str, Any]:
        body: Dict[str, Any] = {"grant_type": "client_credentials", "client_id": self._client_id}
        if isinstance(self._proof, KeyPair):
            body["client_assertion_type"] = ASSERTION_TYPE
            body["client_assertion"] = self._proof.assertion(self._client_id, self._audience)
        else:
            body["client_secret"] = self._proof
        if self._scope is not None:
            body["scope"] = self._scope
        return body


Source = Union[Fixed, Grant]


def source_of(
    base_url: str,
    client_id: Optional[str],
    proof: Union[str, KeyPair, None],
    api_key: Optional[str],
    scope: Optional[str],
) -> Source:
    """What a client was given, if it is one credential and not two."""
    if api_key is not None:
        if client_id is not None or proof is not None:
            raise InvalidOptionError("Give api_key or client_id, not both")
        return Fixed(api_key)
    if not client_id or not proof:
        text = "Give client_id with client_secret or key_pair, or api_key"
        raise InvalidOptionError(text)
    return Grant(client_id, proof, origin(base_url), scope)


def _load(pem: str) -> Any:
    """The key's algorithm and what signs with it."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
    except ImportError as why:
        text = "A key pair needs the package cryptography: pip install 'grantkeep[keys]'"
        raise InvalidOptionError(text) from why
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Not chained: what a parser says may hold a piece of the key.
        raise InvalidOptionError("private_key is not a PEM without a password") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        curve = key

        def es256(data: bytes) -> bytes:
            r, s = utils.decode_dss_signature(curve.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")

        return "ES256", es256
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= RSA_BITS_MIN:
        modulus = key

        def rs256(data: bytes) -> bytes:
            return modulus.sign(data, padding.PKCS1v15(), hashes.SHA256())

        return "RS256", rs256
    raise InvalidOptionError(f"private_key is neither P-256 nor RSA of {RSA_BITS_MIN} bits or more")


def _part(value: Mapping[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
