"""Writes sealed.json: values sealed by another implementation (Python `cryptography`).

It follows the byte layout in the documentation of the crate and shares no code with it. Run once;
the result is committed. Keys and nonces come from a counter, so that it is repeatable; they are of
course not secret.

    python3 make.py > sealed.json
"""

import hashlib
import json
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

counter = 0


def drawn(size):
    global counter
    counter += 1
    return hashlib.sha256(b"grantkeep test vector %d" % counter).digest()[:size]


def field(value):
    if isinstance(value, str):
        value = value.encode()
    return struct.pack(">Q", len(value)) + value


def key_id(label, key):
    return hashlib.sha256(field(label) + key).digest()[:8]


def box(key, aad, plain):
    nonce = drawn(12)
    return nonce + AESGCM(key).encrypt(nonce, plain, aad)


def wrap(root, owner_key, kind, project, environment, owner):
    root_id = key_id("grantkeep root key id", root)
    aad = field("grantkeep owner key") + b"\x01" + root_id + bytes([kind])
    aad += field(project) + field(environment) + field(owner)
    return b"\x01" + root_id + box(root, aad, owner_key)


def seal(owner_key, place, plain):
    owner_id = key_id("grantkeep owner key id", owner_key)

    def aad(label):
        texts = ("project", "environment", "table", "record", "column")
        joined = b"".join(field(place[name]) for name in texts)
        return field(label) + b"\x01" + owner_id + joined + struct.pack(">q", place["version"])

    data_key = drawn(32)
    boxed_key = box(owner_key, aad("grantkeep data key"), data_key)
    return b"\x01" + owner_id + boxed_key + box(data_key, aad("grantkeep data"), plain)


def case(kind, project, environment, owner, record, version, plain):
    root, owner_key = drawn(32), drawn(32)
    place = {
        "project": project,
        "environment": environment,
        "table": "accounts",
        "record": record,
        "column": "credentials",
        "version": version,
    }
    return {
        "root": root.hex(),
        "root_id": key_id("grantkeep root key id", root).hex(),
        "owner": {"kind": kind, "project": project, "environment": environment, "id": owner},
        "owner_key_id": key_id("grantkeep owner key id", owner_key).hex(),
        "wrapped": wrap(root, owner_key, kind, project, environment, owner).hex(),
        "place": place,
        "sealed": seal(owner_key, place, plain).hex(),
        "plain": plain.hex(),
    }


print(
    json.dumps(
        [
            case(1, "proj_a", "production", "user-1", "apn_1", 1, b'{"access_token":"abc"}'),
            case(1, "proj_a", "development", "", "apn_2", 0, b""),
            case(1, "proj_\u00e9", "production", "\u7528\u6237", "apn_3", -1, bytes(range(256))),
            case(2, "proj_b", "", "", "oa_1", 2**63 - 1, b"client secret"),
        ],
        indent=1,
    )
)
