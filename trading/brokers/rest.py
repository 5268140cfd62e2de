"""One request to a broker by HTTPS and what became of it: answered, refused, or not known. Nothing is sent twice.

No redirect is followed, since it would carry the keys along, and no header, address or body of a request is in any
error: only the status and the broker's own words, redacted.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import requests
from requests.auth import AuthBase

from trading.brokers.broker import Absent, BrokerError, Denied, Duplicate, Limited, Unclear
from trading.brokers.credentials import Credentials, hide

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0

REFUSED = frozenset((400, 401, 403, 404, 405, 409, 410, 415, 418, 422, 429))
"""Of these the broker says that nothing was done. Any other status than 2xx says nothing about that."""

_MOST_WORDS = 300


class Answer(NamedTuple):
    """What came back: status, headers, and the body as JSON, None if it is empty; numbers are Decimals."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Rest:
    """Requests to one address with one account's keys.

    headers     the headers that a request is signed with
    timeout_s   how long an answer is waited for; after that it is not known what became of the request
    """

    def __init__(
        self, url: str, credentials: Credentials, headers: Callable[[Credentials], dict[str, str]], timeout_s: float
    ) -> None:
        self._url, self._credentials, self._timeout_s = url.rstrip("/"), credentials, timeout_s
        self._session = requests.Session()
        # Given as `auth`, so that requests takes none from ~/.netrc; and in no attribute of the session.
        self._auth = _Signed(credentials, headers)
        self._redacting = hide(credentials, ("urllib3.connectionpool", "requests"))

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """Send one request, once. Raises Denied, Limited, Absent (404) and Unclear."""
        trouble, answer = "", None
        try:
            response = self._session.request(
                method,
                self._url + path,
                params=query,
                json=body,
                auth=self._auth,
                timeout=(CONNECT_TIMEOUT_S, self._timeout_s),
                allow_redirects=False,
            )
            answer = Answer(response.status_code, dict(response.headers), _json(response.content))
        except requests.RequestException as error:
            # The error holds the request, and with it the keys: only its name and what it is about go on.
            trouble = f"{type(error).__name__} at {method} {path}"
        except ValueError:
            trouble = f"an answer that is no JSON to {method} {path}"
        # Raised out here, so that no error is the context of another one and carries the request along.
        if answer is None:
            raise Unclear(self._credentials.redact(trouble))
        if not 200 <= answer.status < 300:
            raise self._error(answer, f"{method} {path}")
        return answer

    def close(self) -> None:
        """Disconnect."""
        self._session.close()
        for one in self._redacting:
            one.stop()

    def _error(self, answer: Answer, what: str) -> BrokerError:
        words = answer.body.get("message") if isinstance(answer.body, dict) else None
        said = self._credentials.redact(str(words or "no reason"))[:_MOST_WORDS]
        text = f"{said} (HTTP {answer.status} to {what})"
        if answer.status == 429:
            return Limited(text, retry_after(answer.headers))
        if answer.status == 404:
            return Absent(text)
        if "must be unique" in said or "uplicate" in said:
            return Duplicate(text)
        return Denied(text) if answer.status in REFUSED else Unclear(text)


def retry_after(headers: Mapping[str, str], otherwise_s: float = 60.0) -> float:
    """Return the seconds of the header Retry-After, `otherwise_s` if there is none that can be read."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            with contextlib.suppress(ValueError):
                return min(max(float(value), 1.0), 3 * 86_400.0)
    return otherwise_s


class _Signed(AuthBase):
    def __init__(self, credentials: Credentials, headers: Callable[[Credentials], dict[str, str]]) -> None:
        self._credentials, self._headers = credentials, headers

    def __call__(self, request: Any) -> Any:
        request.headers.update(self._headers(self._credentials))
        return request


def _json(content: bytes) -> Any:
    return json.loads(content, parse_float=Decimal) if content.strip() else None
