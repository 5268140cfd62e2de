"""What was asked to be changed, as rows of `audit`; and the first answers, for those who repeat a request.

A repeat has the same Idempotency-Key, caller, method, route, subject and body. What it gets is in the rows, so that a
restart of the service changes nothing.
"""

import hashlib
import json
import re
import threading
from dataclasses import dataclass
from typing import Any

from plant.rows.columns import Columns
from plant.rows.tables import schema_of
from plant.state.newest import rows_of_columns

KEPT_NS = 24 * 3600 * 10**9
"""So long a repeat gets the first answer."""

BODY_BYTES, ANSWER_BYTES = 4 * 1024, 64 * 1024
"""So much is kept of a body, and of an answer."""

SUBJECT_LENGTH = 500
"""Characters of a subject that are kept."""

UNFINISHED = (0, 429, 500, 503, 504)
"""Statuses of attempts that a repeat makes anew; what they wrote is not written again."""

_TABLE = schema_of()["audit"]

_SECRETS = frozenset(("key", "secret", "password", "token", "ticket", "authorization", "api_key"))
_KEY = re.compile(r"tp_([A-Za-z0-9]{1,64})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Request:
    """What is asked: by whom (a key's id), how, about what."""

    caller: str
    method: str
    route: str
    subject: str
    body_sha: str
    idempotency_key: str

    @property
    def place(self) -> tuple[str, str]:
        """By what a repeat is found."""
        return self.caller, self.idempotency_key

    def same(self, row: dict[str, Any]) -> bool:
        """Return whether a row of `audit` is of this request; a route without an id may tell what it made."""
        told = {"method": self.method, "route": self.route, "body_sha": self.body_sha}
        told |= {"subject": self.subject[:SUBJECT_LENGTH]} if self.subject else {}
        return all(row[name] == value for name, value in told.items())


class Audit:
    """The first attempts of requests with an Idempotency-Key, from rows of `audit`; any thread."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], dict[str, Any]] = {}
        self._lock = threading.Lock()

    def take(self, columns: Columns) -> None:
        """Take rows of `audit`, with `seq` and `seq_row`."""
        for row in rows_of_columns(columns, _TABLE.times):
            self.note(row)

    def note(self, row: dict[str, Any]) -> None:
        """Take one row. Of one request an attempt that ended counts before one that did not."""
        if not row["idempotency_key"]:
            return
        place = (row["sym"], row["idempotency_key"])
        with self._lock:
            before = self._first.get(place)
            if before is None or before["time"] < row["time"] - KEPT_NS or before["status"] in UNFINISHED:
                self._first[place] = row
            if len(self._first) % 1000 == 0:
                self._first = {p: r for p, r in self._first.items() if r["time"] > row["time"] - KEPT_NS}

    def earlier(self, request: Request, now: int) -> dict[str, Any] | None:
        """Return the row of the attempt that has this caller's Idempotency-Key, None if there is none."""
        with self._lock:
            row = self._first.get(request.place)
        return row if row is not None and row["time"] > now - KEPT_NS else None


def row_of(
    request: Request,
    now: int,
    address: str,
    status: int,
    body: bytes,
    answer: bytes,
    written_seq: int,
    secret: bool = True,
) -> dict[str, Any]:
    """Return the row of `audit` of a request and its answer, secrets left out.

    `secret`: the answer tells one, in a member called so. Any other is kept as it is, for who repeats the request: that
    a strategy has a parameter `key` makes no secret of it.
    """
    subject = request.subject[:SUBJECT_LENGTH]
    named = {"method": request.method, "route": request.route, "subject": subject, "status": status}
    kept = {"body": _kept(body, BODY_BYTES), "body_sha": request.body_sha}
    kept |= {"answer": _kept(answer, ANSWER_BYTES, secret)}
    told = {"address": address, "idempotency_key": request.idempotency_key, "written_seq": written_seq}
    return {"time": now, "sym": request.caller, **named, **told, **kept}


def sha_of(body: bytes) -> str:
    """Return the SHA-256 of a body, hex."""
    return hashlib.sha256(body).hexdigest()


def without_secrets(text: str) -> str:
    """Return a text with what may be a secret left out: values of members called so in JSON, and keys of ours.

    >>> without_secrets('{"name": "desk", "key": "tp_1"}')
    '{"name": "desk", "key": "***"}'
    """
    try:
        found = json.loads(text)
    except ValueError:
        return _KEY.sub(r"tp_\1_***", text)
    return _KEY.sub(r"tp_\1_***", json.dumps(_cleared(found), ensure_ascii=False))


def _cleared(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: "***" if str(k).lower() in _SECRETS and v is not None else _cleared(v) for k, v in value.items()}
    return [_cleared(each) for each in value] if isinstance(value, list) else value


def _kept(content: bytes, most: int, named: bool = True) -> str:
    """Return content as text, without secrets, `named`: also by the names of members.

    Longer than `most` bytes it is cut, which a repeat can tell.
    """
    if len(content) > 16 * most:
        return f"({len(content):,} bytes)"
    text = content.decode("utf-8", "replace").replace("\x00", "\ufffd")
    text = without_secrets(text) if named else _KEY.sub(r"tp_\1_***", text)
    data = text.encode("utf-8", "replace")  # JSON may tell of half a character: "\\ud800"
    text = data.decode()
    return text if len(data) <= most else data[: most - 3].decode("utf-8", "ignore") + "..."
