"""Bodies of strategies: what is wrong with them is said with its place, all at once; what may be done by now."""

from typing import Any

import pytest

from api.answers.problems import Problem
from api.desk.strategies import check_action, check_class, columns_of, is_source, state_of_strategy, version_in

WHOLE: dict[str, Any] = {
    "id": "up",
    "sym": ["AAPL"],
    "interval": "5min",
    "indicators": [{"as": "fast", "name": "ema", "parameters": {"period": 20}}],
    "signals": [
        {"id": "in", "action": "entry", "side": "long", "all": [{"left": "close", "operator": "gt", "right": "fast"}]}
    ],
}


def places(body: Any, name: str | None = None) -> list[str]:
    with pytest.raises(Problem) as caught:
        columns_of(body, name)
    assert caught.value.code == "invalid"
    return [each["place"] for each in caught.value.more["errors"]]


def test_conditions_become_columns() -> None:
    name, columns = columns_of(WHOLE | {"account": "two", "note": "why", "sym": "AAPL"}, None)
    assert (name, columns["class_name"], columns["interval"]) == ("up", "Conditions", "5m")
    assert (columns["symbols"], columns["account"], columns["mode"], columns["note"]) == (
        ["AAPL"],
        "two",
        "paper",
        "why",
    )
    assert columns["definition"]["indicators"] == WHOLE["indicators"]
    assert "account" not in columns["definition"]


def test_a_class_becomes_columns() -> None:
    body = {"class_name": "Cross", "parameters": {"length": 3}, "sym": ["A"], "interval": "1m", "tags": ["x"]}
    name, columns = columns_of(body, "crossing")
    assert (name, columns["class_name"], columns["parameters"]) == ("crossing", "Cross", {"length": 3})
    assert columns["definition"] == {"tags": ["x"]}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"id": None}, ["$.id"]),
        ({"id": "manual"}, ["$.id"]),
        ({"id": "status"}, ["$.id"]),
        ({"id": "a/b"}, ["$.id"]),
        ({"id": "x" * 65}, ["$.id"]),
        ({"sym": []}, ["$.sym"]),
        ({"interval": "60"}, ["$.interval"]),
        ({"mode": "real"}, ["$.mode"]),
        ({"sgnals": []}, ["$.sgnals"]),
        ({"signals": []}, ["$.signals"]),
        ({"enabled": 1}, ["$.enabled"]),
        ({"parameters": [1]}, ["$.parameters"]),
        ({"risk": {"size": {"type": "qty", "value": -1}}}, ["$.risk.size"]),
        ({"indicators": [{"as": "fast", "name": "emma"}]}, ["$.indicators[0]", "$.signals[0].all[0].right"]),
    ],
)
def test_every_fault_has_its_place(change: dict[str, Any], wrong: list[str]) -> None:
    assert places(WHOLE | change) == wrong


def test_faults_of_all_kinds_are_told_together() -> None:
    assert places({"id": "", "interval": "1m", "sym": 5, "signals": [{"side": "up"}]}) == [
        *("$.id", "$.sym", "$.signals[0].action", "$.signals[0].side", "$.signals[0]")
    ]
    assert places(WHOLE, "other") == ["$.id"]
    assert places([1]) == ["$"]
    assert places({"id": "x", "sym": "A", "interval": "1m", "python": 5, "signals": []}) == ["$.signals", "$.python"]


def test_a_source_becomes_columns() -> None:
    name, columns = columns_of({"id": "x", "sym": "A", "interval": "1m", "python": "...", "tags": ["t"]}, None)
    assert (name, columns["class_name"], is_source(columns)) == ("x", "", True)
    assert columns["definition"] == {"python": "...", "tags": ["t"]}
    assert not is_source(columns_of(WHOLE, None)[1])


def test_parameters_are_checked_against_what_the_trader_says_of_the_class() -> None:
    schema = {"properties": {"length": {"type": "integer", "minimum": 1}}}
    classes = {"Cross": {"error": "", "parameters": schema}, "Odd": {"error": "SyntaxError", "parameters": {}}}
    check_class({"class_name": "Cross", "parameters": {"length": 3}}, classes)
    for name, parameters, place in (
        ("Cross", {"length": 0}, "$.parameters.length"),
        ("Crosss", {}, "$.class_name"),
        ("Odd", {}, "$.class_name"),
    ):
        with pytest.raises(Problem) as caught:
            check_class({"class_name": name, "parameters": parameters}, classes)
        assert [each["place"] for each in caught.value.more["errors"]] == [place]


@pytest.mark.parametrize(
    ("wanted", "state", "possible"),
    [
        ("stopped", "stopped", {"start"}),
        ("stopped", "stopping", {"start"}),
        ("running", "running", {"stop", "pause"}),
        ("running", "starting", {"stop", "pause"}),
        ("running", "failed", {"start", "stop"}),
        ("paused", "paused", {"stop", "resume"}),
    ],
)
def test_only_what_makes_sense_may_be_done(wanted: str, state: str, possible: set[str]) -> None:
    row = {"sym": "up", "wanted": wanted}
    for action in ("start", "stop", "pause", "resume"):
        if action in possible:
            check_action(action, row, state)
        else:
            with pytest.raises(Problem) as caught:
                check_action(action, row, state)
            assert caught.value.code == "wrong_state"


@pytest.mark.parametrize(
    ("wanted", "run", "state"),
    [
        ("stopped", None, "stopped"),
        ("running", None, "starting"),
        ("running", ("running", 1), "running"),
        ("paused", ("paused", 1), "paused"),
        ("stopped", ("running", 1), "stopping"),
        ("running", ("failed", 9), "failed"),
        ("running", ("failed", 1), "starting"),
        ("stopped", ("cancelled", 9), "stopped"),
    ],
)
def test_a_strategy_is_as_it_is_wanted_and_as_its_run_is(wanted: str, run: Any, state: str) -> None:
    row = {"sym": "up", "wanted": wanted, "seq": 5}
    assert state_of_strategy(row, run and {"state": run[0], "seq": run[1]}) == state


def test_a_writer_says_which_version_he_saw() -> None:
    assert version_in('"3"', 3, "it") == 3
    assert version_in('W/"3"', 3, "it") == 3
    for header, code in ((None, "version_required"), ('"2"', "version_conflict"), ("*", "version_conflict")):
        with pytest.raises(Problem) as caught:
            version_in(header, 3, "it")
        assert caught.value.code == code
