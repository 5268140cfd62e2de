"""What is sent, to whom, and when: a state machine without sockets; the clock is given.

A rule is one of [[alerts]]. Of a signal (or event) and symbol it sends at most one in `every_s`; what it held back is
counted, and told with the next one. What ended longer than `within_s` ago is counted only. An end (over, withdrawn) is
told at once, to whom the beginning was told.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from monitor.causes import BEGUN, LOST, Cause
from monitor.told import Alert, Told
from plant.runtime.alerting import AlertSection

SECOND = 10**9

URGENT = ("process_down", "disk")
"""Sent although no row of it can be written: without a tickerplant, or where it has no room."""


class Rule(NamedTuple):
    """One of [[alerts]], and the name of its service: the address without its secrets."""

    section: AlertSection
    service: str

    @property
    def every_ns(self) -> int:
        return int(self.section.every_s * SECOND)

    @property
    def within_ns(self) -> int:
        return int(self.section.within_s * SECOND)

    def about(self, cause: Cause) -> bool:
        """Return whether it is to tell of a cause."""
        return self.section.about(cause.event, cause.sym, cause.interval)


Limit = tuple[int, str, str]
"""Number of the rule, event and sym: what `every_s` is about."""


class Decider:
    """Turns causes into alerts; `told` is what was told before, also by an earlier process."""

    def __init__(self, rules: Sequence[Rule], told: Told) -> None:
        self._rules = rules
        self._told = told
        self._last: dict[Limit, int] = {}  # when the newest one was sent
        self._held: dict[Limit, int] = {}
        self._counted: set[tuple[Limit, str]] = set()  # with its head, each event that was not sent
        self._onsets: set[tuple[Limit, str]] = set()  # and each condition, while it lasts
        self._seen: dict[tuple[Limit, str], int] = {}  # beginnings that were told: time of the alert
        self._time = 0

    def decide(self, causes: Iterable[Cause], now: int) -> list[Alert]:
        """Return what is to be sent of `causes`, in their order; `now` in ns UTC."""
        found = []
        for cause in causes:
            for number, rule in enumerate(self._rules):
                if rule.about(cause):
                    alert = self._of(number, rule, cause, now)
                    if alert is not None:
                        self._told.decided(alert)
                        self._note(number, rule, cause)
                        found.append(alert)
        return found

    def _of(self, number: int, rule: Rule, cause: Cause, now: int) -> Alert | None:
        limit = (number, cause.event, cause.sym)
        self._note(number, rule, cause)
        record = self._told.get(rule.service, cause)
        if cause.state not in (BEGUN, LOST):
            if record is None or record.told != BEGUN or not record.reached:
                return None  # nobody knows that it has begun
            return self._alert(rule, cause, now, 0)
        if record is not None and record.told == cause.state and (record.reached or not cause.lasting):
            return None
        counted = self._onsets if cause.lasting else self._counted
        was_counted = (limit, cause.head) in counted
        if was_counted and not cause.lasting:
            return None
        old = not cause.lasting and rule.within_ns and now - cause.ended > rule.within_ns
        since = now if cause.lasting else cause.taken
        if old or (rule.every_ns and limit in self._last and since - self._last[limit] < rule.every_ns):
            self._held[limit] = self._held.get(limit, 0) + (not was_counted)
            counted.add((limit, cause.head))
            return None
        counted.discard((limit, cause.head))
        return self._alert(rule, cause, now, self._held.pop(limit, 0) - was_counted)

    def _note(self, number: int, rule: Rule, cause: Cause) -> None:
        """Note that a beginning was told: by this rule, by another one with the same service, by an earlier process."""
        limit = (number, cause.event, cause.sym)
        record = self._told.get(rule.service, cause)
        if record is not None and record.begun > self._seen.get((limit, cause.head), 0):
            self._seen[limit, cause.head] = record.begun
            self._last[limit] = max(self._last.get(limit, 0), record.begun)
            self._held.pop(limit, None)

    def _alert(self, rule: Rule, cause: Cause, now: int, held_back: int) -> Alert:
        self._time = max(self._time, self._told.newest, now - 1) + 1
        ended = cause.ended if cause.state in (BEGUN, LOST) and not cause.lasting else now
        return Alert(
            self._time,
            cause.sym,
            cause.event,
            rule.service,
            held_back,
            cause.detail,
            ended,
            rule.within_ns,
            cause.event in URGENT and cause.lasting,
        )

    def ends(self, present: Iterable[Cause], ending: Callable[[str, str, str], Cause | None], now: int) -> list[Alert]:
        """Return what is to be sent of conditions that were told and are not `present`.

        `ending(event, sym, head)` gives the end of one, None if it is no condition, or cannot be judged now.
        """
        there = {(c.event, c.sym, c.head) for c in present}
        self._onsets = {(limit, head) for limit, head in self._onsets if (*limit[1:], head) in there}
        ended: list[Cause] = []
        for service in {rule.service for rule in self._rules}:
            for record in self._told.standing(service):
                what = (record.alert.event, record.alert.sym, record.head)
                if what not in there and (cause := ending(*what)) is not None:
                    ended.append(cause)
        return self.decide(dict.fromkeys(ended), now)
