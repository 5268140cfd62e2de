"""Requests of a venue's REST, one after another in a thread of their own: what waits for an answer never holds up rows.

No redirect is followed: it would carry the key to wherever it points. Nothing raises for what the network or the venue
does; an answer says what became of its request.
"""

import contextlib
import queue
import threading
from typing import Literal, NamedTuple

import requests
from urllib3.exceptions import HTTPError

from feedhandler.venue.dialogue import Request
from plant.transport.secret import Secret

TIMEOUT_S = 5.0
"""Of connecting, and of each pause between two parts of an answer."""

MOST_BYTES = 64_000_000
"""An answer is no longer."""

RATE_LIMIT_PAUSE_S = 60.0
"""After a refusal for too many requests that does not say for how long."""

Kind = Literal["good", "wait", "key", "no", "later"]


class Answer(NamedTuple):
    """What became of a request.

    good: `body` is the answer. wait: too many requests, none for `wait_s`. key: the one we have was refused, `partly`:
    for what was asked, as its plan may have other things. no: the venue refuses this request, again and again. later:
    the network, or the venue's own trouble; `reason` says what.
    """

    kind: Kind
    body: bytes = b""
    reason: str = ""
    wait_s: float = 0.0
    partly: bool = False


def ask(session: requests.Session, rest_url: str, request: Request, secret: Secret) -> Answer:
    """Send one request and return its answer; takes a few times TIMEOUT_S at most."""
    url = rest_url.rstrip("/") + request.path
    method = "POST" if request.post else "GET"
    try:
        with session.request(
            method,
            url,
            params=request.query,
            headers={"Accept": "application/json", **request.headers},
            timeout=TIMEOUT_S,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = response.raw.read(MOST_BYTES, decode_content=True)
            return _answer_of(response.status_code, body, response.headers.get("Retry-After", ""), secret)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        return Answer("later", reason=secret.redact(f"{type(error).__name__}: {error}"))


def _answer_of(status: int, body: bytes, retry_after: str, secret: Secret) -> Answer:
    said = secret.redact(body[:500].decode("utf-8", "replace"))[:120]
    reason = f"HTTP {status} {said}".strip()
    if status == 200:
        return Answer("good", body)
    # Without a key 403 is of the venue's firewall, as Binance says: too much came from this address; and 401 is said of
    # what a key is needed for, as single trades of Binance's futures, not of all.
    if status in (418, 429) or (status == 403 and not secret):
        return Answer("wait", reason=reason, wait_s=_seconds(retry_after))
    if status in (401, 403):
        return Answer("key", reason=reason, partly=status == 403 or not secret)
    return Answer("later" if status >= 500 or status == 408 else "no", reason=reason)


def _seconds(text: str) -> float:
    try:
        return min(max(float(text), 1.0), 86_400.0)
    except ValueError:
        return RATE_LIMIT_PAUSE_S


class Rest:
    """A thread that asks; one request at a time, `ask` when not `busy`, `answer` when there is one."""

    def __init__(self, rest_url: str, secret: Secret) -> None:
        self._rest_url, self._secret = rest_url, secret
        self._asked: queue.SimpleQueue[tuple[Request, queue.SimpleQueue[Answer]] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.busy = False

    def ask(self, request: Request) -> None:
        """Send a request; `answer` has its answer in a while."""
        self.busy = True
        self._send(request, self._answers)

    def answer(self) -> Answer | None:
        """Return the answer, None while there is none."""
        with contextlib.suppress(queue.Empty):
            found = self._answers.get_nowait()
            self.busy = False
            return found
        return None

    def wait(self, request: Request) -> Answer:
        """Send a request and return its answer, waiting for it, and for one that is under way."""
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._send(request, answers)
        return answers.get()

    def close(self) -> None:
        """End the thread, behind a request that is under way, unless that takes longer than TIMEOUT_S."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join(TIMEOUT_S)
            self._thread = None

    def _send(self, request: Request, answers: "queue.SimpleQueue[Answer]") -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="rest", daemon=True)
            self._thread.start()
        self._asked.put((request, answers))

    def _serve(self) -> None:
        with requests.Session() as session:
            session.auth = lambda request: request  # the keys are ours: else ~/.netrc would put its own in their place
            while (asked := self._asked.get()) is not None:
                request, answers = asked
                try:
                    answer = ask(session, self._rest_url, request, self._secret)
                except Exception as error:  # whatever it is, nobody would answer any more
                    answer = Answer("later", reason=self._secret.redact(f"{type(error).__name__}: {error}"))
                answers.put(answer)
