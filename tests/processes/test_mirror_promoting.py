"""What the old plant is told by `plant promote --old`."""

from typing import Any

import pytest

from mirror import promoting
from plant.wire import messages


@pytest.mark.parametrize(
    ("role", "asked", "found"),
    [("", [messages.diverged("taken over")], 7), (messages.FOLLOWS, [], None)],
    ids=["the old plant", "a plant that follows, this one perhaps"],
)
def test_only_a_plant_that_takes_rows_is_fenced(
    monkeypatch: pytest.MonkeyPatch, role: str, asked: list[dict[str, Any]], found: int | None
) -> None:
    said: list[dict[str, Any]] = []

    class Requester:
        def __init__(self, *_: Any) -> None: ...

        def status(self) -> dict[str, Any]:
            return {"seq": 7, "role": role}

        def ask(self, **question: Any) -> None:
            said.append(question)

        def close(self) -> None: ...

    monkeypatch.setattr(promoting, "Requester", Requester)
    assert promoting._tell("tcp://127.0.0.1:9", "taken over") == found
    assert said == asked
