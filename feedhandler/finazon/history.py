"""Bars that Finazon's socket did not send, fetched from its REST endpoint page by page.

The venue replays nothing after a reconnect, so the hole between the last bar and the new connection is asked for here:
GET {rest_url}/time_series with the header `Authorization: apikey KEY` (https://finazon.io/docs/api/latest). Only closed
minutes are asked for, so that a page can never undo a newer revision that came through the socket.

One `step` is one request at most. Nothing raises: what fails is tried again later or given up, and said in `note`.
"""

import http.client
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from feedhandler.finazon.messages import (
    NO_PAGE,
    Bar,
    Malformed,
    Refused,
    ZeroPrice,
    parse_time_series,
    time_series_query,
)
from plant.transport.secret import Secret

PAGE_SIZE = 1_000
MAX_PAGES = 200
MAX_BODY_BYTES = 4_000_000
REQUEST_TIMEOUT_S = 5.0
RETRY_S = 10.0
RATE_LIMIT_PAUSE_S = 60.0
MAX_TRIES = 3


@dataclass
class _Gap:
    sym: str
    start_s: int
    end_s: int  # exclusive
    page: int
    tries: int = 0
    found: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.sym} from {self.start_s} to {self.end_s} (Unix seconds)"


class Lost(NamedTuple):
    """Minutes that are not to be had: those of `sym` that start in [start_s, end_s), Unix seconds."""

    sym: str
    start_s: int
    end_s: int
    reason: str


class Backfill:
    """A queue of gaps; `step()` fetches one page of the first and returns its bars.

    clock: seconds, monotonic. `note` is the latest trouble as one line, "" when the last request went well.
    """

    def __init__(self, rest_url: str, dataset: str, key: Secret, clock: Callable[[], float]) -> None:
        self._address = f"{rest_url.rstrip('/')}/time_series"
        self._dataset = dataset
        self._key = key
        self._clock = clock
        self._gaps: deque[_Gap] = deque()
        self._not_before = clock()
        self._opener = urllib.request.build_opener(_NoRedirect())
        # Whether the venue counts pages from 0 or 1 is nowhere written down: begin at 0, and learn.
        self._first_page = 0
        self.note = ""
        self.lost: list[Lost] = []  # the caller's to take
        self.malformed: list[str] = []
        self.zero_prices = 0  # bars that were left out for that, the caller's to take

    def __len__(self) -> int:
        return len(self._gaps)

    def add(self, sym: str, start_s: int, end_s: int) -> None:
        """Ask for the minute bars of `sym` that start in [start_s, end_s), Unix seconds."""
        if start_s < end_s:
            self._gaps.append(_Gap(sym, start_s, end_s, self._first_page))

    def step(self) -> list[Bar]:
        """Fetch one page if it is time to, blocking for some seconds at most; return its new bars, oldest first."""
        if not self._gaps or self._clock() < self._not_before:
            return []
        gap = self._gaps[0]
        query = time_series_query(self._dataset, gap.sym, gap.start_s, gap.end_s - 1, gap.page, PAGE_SIZE)
        request = urllib.request.Request(
            f"{self._address}?{query}",
            headers={"Authorization": f"apikey {self._key.reveal()}", "Accept": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=REQUEST_TIMEOUT_S) as response:
                body = response.read(MAX_BODY_BYTES)
        except urllib.error.HTTPError as error:
            with error:  # the error is also the response, and holds the socket
                self._refused(gap, error.code, f"HTTP {error.code}")
            return []
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._try_later(gap, self._key.redact(f"{type(error).__name__}: {error}"))
            return []
        return self._accept(gap, body)

    def _accept(self, gap: _Gap, body: bytes) -> list[Bar]:
        events = parse_time_series(self._key.redact(body.decode("utf-8", "replace")), gap.sym)
        if events and isinstance(events[0], Refused):
            self._refused(gap, 401 if events[0].kind == "key" else 0, events[0].message)
            return []
        self.note = ""
        if len(events) == 1 and isinstance(events[0], Malformed) and events[0].reason.startswith(NO_PAGE):
            self.malformed.append(events[0].reason)
            self._try_later(gap, events[0].reason)  # as of maintenance: it says nothing of the bars
            return []
        self.malformed += [event.reason for event in events if isinstance(event, Malformed)]
        self.zero_prices += sum(isinstance(event, ZeroPrice) for event in events)
        bars = {
            event.time_s: event
            for event in events
            if isinstance(event, Bar) and gap.start_s <= event.time_s < gap.end_s and event.time_s not in gap.found
        }
        gap.found |= bars.keys()
        if bars and gap.page == 1 and len(gap.found) == len(bars):
            self._first_page = 1
        # Page 0 can be empty, or the same as page 1, where pages are counted from 1; so only later ones end the gap.
        nothing_new = not bars and gap.page > 1
        if (0 < len(events) < PAGE_SIZE) or nothing_new or (not events and gap.page > 0) or gap.page >= MAX_PAGES:
            if gap.page >= MAX_PAGES and bars:
                self.lost.append(Lost(gap.sym, gap.start_s, gap.end_s, f"there are more than {MAX_PAGES} pages of it"))
            self._gaps.popleft()
        gap.page += 1
        gap.tries = 0
        return [bars[time_s] for time_s in sorted(bars)]

    def _refused(self, gap: _Gap, status: int, reason: str) -> None:
        if status in (401, 403):
            while self._gaps:
                self._give_up(reason)
            self.note = f"no history: the key was refused ({reason})"
        elif status == 429:
            self._not_before = self._clock() + RATE_LIMIT_PAUSE_S
            self.note = f"history waits {RATE_LIMIT_PAUSE_S:.0f} s: too many requests ({reason})"
        elif gap.page == 0 and status in (400, 404, 416, 422):
            gap.page = 1
        elif status and status < 500:
            self._give_up(reason)
        else:
            self._try_later(gap, reason)

    def _try_later(self, gap: _Gap, reason: str) -> None:
        gap.tries += 1
        if gap.tries >= MAX_TRIES:
            self._give_up(reason)
        else:
            self._not_before = self._clock() + RETRY_S
            self.note = f"history of {gap} is tried again in {RETRY_S:.0f} s: {reason}"

    def _give_up(self, reason: str) -> None:
        gap = self._gaps.popleft()
        self.lost.append(Lost(gap.sym, gap.start_s, gap.end_s, reason))
        self.note = f"history of {gap} is missing: {reason}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: urllib would send the Authorization header on to wherever it points."""

    def redirect_request(self, *_: Any) -> None:
        return None
