"""What is sent and when: at most one in so long, the rest counted; nothing again after a restart; ends to whom it was
begun."""

from typing import Any

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.causes import BEGUN, OVER, WITHDRAWN, Cause
from monitor.decider import Decider, Rule
from monitor.told import FAILED, SENDING, SENT, Alert, Told
from plant.runtime.alerting import AlertSection

S = 10**9
T0 = 1_763_649_000 * S


def rule(service: str = "a", **keys: Any) -> Rule:
    section = {"signals": ("*",), "events": ("process_down",), "to": "json://x", "every_s": 60, "within_s": 300}
    return Rule(AlertSection(**{**section, **keys}), service)


def signal(second: float, number: int = 0, sym: str = "AAPL", state: str = BEGUN, ended: float | None = None) -> Cause:
    at = T0 + int(second * S)
    return Cause(
        "cross", sym, f"cross {sym} {number}", "why", state, at if ended is None else T0 + int(ended * S), at, "1m"
    )


def down(state: str = BEGUN) -> Cause:
    return Cause("process_down", "rdb", "rdb is down", "no answer", state, lasting=True)


def at(second: float) -> int:
    return T0 + int(second * S)


def details(alerts: list[Alert]) -> list[tuple[str, int]]:
    return [(a.detail.partition(" | ")[0], a.held_back) for a in alerts]


def test_one_of_a_signal_and_symbol_in_so_long_and_the_rest_is_counted_in_the_next() -> None:
    decider = Decider([rule()], Told())
    found = []
    for second in range(0, 130, 10):
        found += decider.decide([signal(second, second), signal(second, second, "TSLA")], at(second + 0.1))
    assert details(found)[::2] == [("cross AAPL 0", 0), ("cross AAPL 70", 6)]
    assert details(found)[1::2] == [("cross TSLA 0", 0), ("cross TSLA 70", 6)]
    assert len({a.time for a in found}) == len(found)


def test_a_bar_of_long_ago_is_counted_and_not_sent_unless_any_age_will_do() -> None:
    decider = Decider([rule(), rule("b", within_s=0)], Told())
    found = decider.decide([signal(0, 1, ended=-400)], at(0))
    assert [(a.service, a.held_back) for a in found] == [("b", 0)]
    assert [(a.service, a.held_back) for a in decider.decide([signal(70, 2)], at(70))] == [("a", 1), ("b", 0)]


def test_rules_tell_of_what_they_name() -> None:
    rules = [
        rule("all", signals=("*",)),
        rule("other", signals=("golden_*",)),
        rule("lengths", intervals=("5m",)),
        rule("symbols", symbols=("A*",)),
        rule("events", signals=(), events=("process_down",)),
    ]
    found = Decider(rules, Told()).decide([signal(0)], at(0))
    assert [a.service for a in found] == ["all", "symbols"]
    assert [a.service for a in Decider(rules, Told()).decide([down()], at(0))] == ["all", "other", "lengths", "events"]


def test_two_rules_with_one_service_send_one_thing_once() -> None:
    assert len(Decider([rule(), rule(every_s=0)], Told()).decide([signal(0)], at(0))) == 1


def test_a_withdrawn_signal_is_told_to_whom_the_signal_was() -> None:
    told = Told()
    decider = Decider([rule(every_s=0)], told)
    assert decider.decide([signal(0, 1, state=WITHDRAWN)], at(0)) == []
    (sent,) = decider.decide([signal(1, 2)], at(1))
    told.became(sent, SENT)
    (failed,) = decider.decide([signal(2, 3)], at(2))
    told.became(failed, FAILED)
    found = decider.decide([signal(9000, n, state=WITHDRAWN, ended=1) for n in (2, 3)], at(9000))
    assert details(found) == [("withdrawn: cross AAPL 2", 0)]
    assert found[0].ended == at(9000)  # it is not too old to be sent
    assert details(decider.decide([signal(9001, 2, ended=9001)], at(9001))) == [("cross AAPL 2", 0)]  # and back again


def test_a_condition_is_told_when_it_begins_and_when_it_is_over() -> None:
    decider = Decider([rule()], Told())

    def ending(*what: str) -> Cause | None:
        return down(OVER)

    found = decider.decide([down()], at(0)) + decider.decide([down()], at(1)) + decider.ends([down()], ending, at(2))
    assert details(found) == [("rdb is down", 0)]
    assert decider.ends([], lambda *what: None, at(2)) == []  # nobody knows
    assert details(decider.ends([], ending, at(3)) + decider.ends([], ending, at(4))) == [("over: rdb is down", 0)]
    # it comes back within every_s: counted; once that is over and it lasts, told
    assert decider.decide([down()], at(5)) + decider.ends([], ending, at(6)) == []
    assert decider.decide([down()], at(7)) == []
    assert details(decider.decide([down()], at(61))) == [("rdb is down", 1)]


def test_a_condition_whose_alert_failed_is_told_again_and_its_end_is_not() -> None:
    told = Told()
    decider = Decider([rule()], told)
    (alert,) = decider.decide([down()], at(0))
    told.became(alert, FAILED)
    assert decider.ends([], lambda *what: down(OVER), at(1)) == []
    assert decider.decide([down()], at(2)) == []
    assert len(decider.decide([down()], at(60))) == 1


moments = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["AAPL", "TSLA"])), min_size=1, max_size=40)


@settings(deadline=None, max_examples=examples(200))
@given(moments, st.sets(st.integers(0, 40), max_size=3), st.sampled_from([0, 30, 60]))
def test_restarts_at_any_moment_change_nothing(steps: list[tuple[int, str]], restarts: set[int], every_s: int) -> None:
    """The alerts, their order and what they held back are those of a monitor that was never started again."""
    causes, second = [], 0
    for number, (pause, sym) in enumerate(steps):
        second += pause
        causes.append((second, signal(second, number, sym)))

    def run(starts: set[int]) -> list[tuple[str, int]]:
        rows: list[dict[str, Any]] = []
        found: list[Alert] = []
        decider = Decider([rule(every_s=every_s)], Told())
        for number, (when, cause) in enumerate(causes):
            if number in starts:
                told = Told()
                for row in rows:
                    told.take(row)
                decider = Decider([rule(every_s=every_s)], told)
                assert decider.decide([c for _, c in causes[:number]], at(when)) == [], "told twice"
            new = decider.decide([cause], at(when + 0.01))
            rows += [alert.row(state, 1) for alert in new for state in (SENDING, SENT)]
            found += new
        return details(found)

    assert run(restarts) == run(set())
