import doctest

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from dashboard.pulse import Look, Pulse
from dashboard.refresh import beat
from plant.errors import Unavailable

WELL = {"rdb": Look("ok"), "hdb": Look("closing 2025-11-20")}


def answer() -> tuple[int, str]:
    (route,) = Starlette(routes=beat.routes()).routes
    assert getattr(route, "path", "") == "/beat"
    found = getattr(route, "endpoint")(Request({"type": "http"}))  # noqa: B009  (a BaseRoute has none, a Route has)
    return found.status_code, bytes(found.body).decode()


def test_the_letters_are_others_when_a_process_is_another_way() -> None:
    known = beat.letters(WELL)
    assert beat.letters(dict(reversed(WELL.items()))) == known
    down = beat.letters({**WELL, "rdb": Look(error="no answer within 1 s", since=5.0)})
    assert down != known
    assert beat.letters({**WELL, "rdb": Look(error="no answer within 2 s", since=9.0)}) == down, "it is down as before"
    assert beat.letters({**WELL, "rdb": Look("replaying the journal")}) not in (known, down)


def test_it_answers_by_the_pulse_of_the_page_and_has_none_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "_watched", [])
    assert answer() == (503, "no page yet")
    up = {"rdb": True}

    def ask() -> dict[str, str]:
        if not up["rdb"]:
            raise Unavailable("no answer")
        return {"state": "ok"}

    beat.watch(Pulse({"rdb": ask}, every_s=0.0))
    first = answer()
    assert first == (200, beat.letters({"rdb": Look("ok")}))
    assert answer() == first
    up["rdb"] = False
    assert answer() == (200, beat.letters({"rdb": Look(error="no answer")}))


def test_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(beat).attempted > 0
    assert doctest.testmod(beat).failed == 0
