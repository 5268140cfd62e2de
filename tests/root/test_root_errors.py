"""Errors: one tree, and each crosses a socket as what it is."""

import re

import pytest

from plant import errors
from plant.errors import PlantError, from_wire, to_wire

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PlantError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_error_crosses_the_wire_as_its_class_and_text(kind: type[PlantError]) -> None:
    sent = to_wire(kind("what, where, what to do"))
    found = from_wire(sent)
    assert type(found) is kind
    assert str(found) == "what, where, what to do"
    assert all(type(v) is str for v in sent.values())


def test_the_tree_in_the_docstring_is_the_tree_of_classes() -> None:
    drawn: dict[str, str] = {}
    parents: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([\s│├└─]*)(\w+)", line) if "──" in line or line.strip() == "PlantError" else None:
            depth = (len(found[1]) - 4) // 4
            parents[depth:] = [found[2]]
            drawn[found[2]] = parents[depth - 1] if depth else "Exception"
    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS}


def test_an_error_that_is_not_ours_is_told_with_its_class() -> None:
    assert to_wire(ZeroDivisionError("division by zero")) == {
        "error": "PlantError",
        "message": "ZeroDivisionError: division by zero",
    }


@pytest.mark.parametrize(
    "fields", [{}, {"error": "Exception", "message": "x"}, {"error": 5}, {"error": ["a"], "message": 7}]
)
def test_an_unknown_error_is_a_plant_error(fields: dict[str, object]) -> None:
    assert type(from_wire(fields)) is PlantError
