"""Keys: made, read, and checked by argon2id. A key that was checked is remembered, so that argon2 runs once.

A key is `tp_<id>_<secret>`, the secret being 32 random bytes in base64url. What is remembered is a digest of the whole
key, keyed by bytes that only this process has, for REMEMBER_S or until a row of `api_keys` comes.
"""

import hashlib
import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from plant.rows.columns import Columns
from plant.state.keys import Keys
from plant.state.newest import Row

REMEMBER_S = 60.0

_KEY = re.compile(r"tp_([A-Za-z0-9]{1,64})_([A-Za-z0-9_-]{43})")
_MOST = 10_000
"""Keys remembered at most."""


@dataclass(frozen=True)
class MadeKey:
    """A new key: its id, the whole of it, which is told once, and what the table keeps."""

    id: str
    key: str
    hash: str


class KeyRing:
    """The keys that rows of `api_keys` have made so far, and which of those that are presented are theirs; any thread.

    `loaded` once the rows that there were at the start have been taken.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self.keys = Keys()
        self.loaded = False
        self._hasher = hasher or PasswordHasher()
        self._secret = secrets.token_bytes(32)
        self._remembered: dict[bytes, tuple[str, float]] = {}
        self._seen: set[bytes] = set()
        self._lock = threading.Lock()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def take(self, columns: Columns) -> list[Row]:
        """Take rows of `api_keys`; return those that count. What was remembered is forgotten."""
        with self._lock:
            found = self.keys.take(columns)
            self._remembered.clear()
        return found

    def remembered(self, key: str) -> Row | None:
        """Return the row of a key that was checked lately and may be used, None if it has to be checked."""
        digest = self._digest(key)
        with self._lock:
            name, until = self._remembered.get(digest, ("", 0.0))
            if time.monotonic() >= until:
                self._remembered.pop(digest, None)
                return None
            return self.keys.usable(name, time.time_ns())

    def seen(self, key: str) -> bool:
        """Return whether a key was right before: its owner need not wait because others guess."""
        with self._lock:
            return self._digest(key) in self._seen

    def verify(self, key: str) -> Row | None:
        """Return the row of a key if it is one that may be used, else None. Takes as long for an id that is none."""
        match = _KEY.fullmatch(key)
        row = self.keys.get(match[1]) if match else None
        try:
            right: bool = self._hasher.verify(row["hash"] if row else self._nobody, match[2] if match else key[:43])
        except (VerificationError, InvalidHashError):
            right = False
        if not (right and row):
            return None
        with self._lock:
            usable = self.keys.usable(row["sym"], time.time_ns())
            if usable is not None and usable["hash"] == row["hash"]:
                if len(self._remembered) >= _MOST or len(self._seen) >= _MOST:
                    self._remembered.clear()
                    self._seen.clear()
                self._seen.add(self._digest(key))
                self._remembered[self._digest(key)] = (row["sym"], time.monotonic() + REMEMBER_S)
                return usable
        return None

    def _digest(self, key: str) -> bytes:
        return hmac.digest(self._secret, key.encode(), hashlib.sha256)


def make_key(hasher: PasswordHasher | None = None, name: str = "") -> MadeKey:
    """Return a new key; `name`: its id, if it is not to be made up."""
    name, secret = name or secrets.token_hex(6), secrets.token_urlsafe(32)
    return MadeKey(name, f"tp_{name}_{secret}", (hasher or PasswordHasher()).hash(secret))


def id_in(key: str) -> str:
    """Return the id that a key names, "" if it is none."""
    match = _KEY.fullmatch(key)
    return match[1] if match else ""
