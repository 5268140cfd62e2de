"""docs/tour.ipynb runs, in a kernel, on a small plant, and answers what it shows."""

from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from running import RunningPlant
from scripts import script

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tour() -> ModuleType:
    return script(DOCS / "make_tour.py")


def committed() -> Any:
    return nbformat.read(DOCS / "tour.ipynb", as_version=4)


def shown(notebook: Any) -> list[str]:
    """Return what each output shows as text."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return [output["text"] if "text" in output else output["data"]["text/plain"] for output in outputs]


def test_the_notebook_is_the_one_its_maker_makes(tour: ModuleType) -> None:
    found = [(cell["id"], cell["cell_type"], cell["source"]) for cell in committed().cells]
    made = [(cell["id"], cell["cell_type"], cell["source"]) for cell in tour.notebook().cells]
    assert found == made, "run: make docs"


def test_the_notebook_runs_and_answers_what_it_shows(
    tour: ModuleType, market: RunningPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_CONFIG", str(market.config))
    assert shown(tour.run(tour.notebook())) == shown(committed())


def test_the_notebook_tells_nothing_of_the_machine_it_was_made_on() -> None:
    text = (DOCS / "tour.ipynb").read_text()
    assert str(DOCS.parent) not in text
    assert "/tmp/" not in text
    assert "/home/" not in text
