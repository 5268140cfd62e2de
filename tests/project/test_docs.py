"""The documents say what the code does."""

import re
from pathlib import Path

from scripts import script

from plant import errors
from plant.runtime.supervision import PROCESSES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_tables_page_is_the_one_the_schema_makes() -> None:
    assert (DOCS / "tables.md").read_text() == script(DOCS / "render_tables.py").page(), "run: make docs"


def test_indicators_page_is_the_one_the_catalogue_makes() -> None:
    assert (DOCS / "indicators.md").read_text() == script(DOCS / "render_indicators.py").page(), "run: make docs"


def test_every_error_has_its_line() -> None:
    page = (DOCS / "errors.md").read_text()
    for kind in errors._KINDS:
        assert f"`{kind}`" in page or f"plant.{kind}`" in page, f"docs/errors.md does not explain {kind}"


def test_files_named_in_the_documents_exist() -> None:
    for page in [*DOCS.rglob("*.md"), ROOT / "README.md"]:
        for name in re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]+\.(?:py|js|md))`", page.read_text()):
            assert (ROOT / name).is_file(), f"{page.name} names {name}, which is not there"
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}, which is not there"


def test_every_module_of_plant_is_in_the_architecture() -> None:
    page = (DOCS / "architecture.md").read_text()
    for module in (ROOT / "plant").glob("*.py"):
        assert module.name == "__init__.py" or f"`{module.name}`" in page, f"architecture.md leaves out {module.name}"
    for process in PROCESSES:
        assert f"| {process} |" in page, f"architecture.md leaves out the process {process}"


def test_envelope_table_matches_the_code() -> None:
    from plant.wire.envelope import HEADER_BYTES, Header

    rows = re.findall(r"^\| (\d+) \| (\d+) \| (\w+) \|", (DOCS / "wire.md").read_text(), re.MULTILINE)
    names = [name for *_, name in rows]
    assert [n for n in names if n != "reserved"] == [f for f in Header._fields if not f.startswith("reserved")]
    ends = [int(offset) + int(size) for offset, size, _ in rows]
    assert [int(offset) for offset, *_ in rows] == [0, *ends[:-1]]
    assert ends[-1] == HEADER_BYTES


def test_the_bounds_of_questions_in_the_wire_page_are_those_of_the_code() -> None:
    from plant.query.limits import MEBIBYTE
    from plant.serving import delivery, server, waiting

    page = " ".join((DOCS / "wire.md").read_text().split())
    assert f"an answer of more than {server.PART_BYTES:,} bytes" in page
    assert f"less than about {delivery.WINDOW_BYTES // MEBIBYTE} MiB" in page
    assert f"left {server.UNREAD_BYTES // MEBIBYTE} MiB unread" in page
    assert f"At most {waiting.WAITING} questions of a connection wait" in page
    assert f"A request frame of more than {server.MAX_REQUEST_BYTES // MEBIBYTE} MiB" in page


def test_every_question_is_in_the_wire_page() -> None:
    from plant.query.questions import KINDS

    page = (DOCS / "wire.md").read_text()
    assert not [kind for kind in KINDS if f"`{kind}`" not in page]
