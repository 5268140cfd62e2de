"""The direction of imports, and what every module owes its reader; read from the source, so nothing is imported."""

import ast
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = ("tickerplant", "rdb", "processor", "hdb", "feedhandler", "dashboard")
PACKAGES = ("plant", *PROCESSES)
BELOW: dict[str, tuple[str, ...]] = {
    "rows": (),
    "transport": (),
    "wire": ("rows",),
    "history": ("rows",),
    "query": ("rows",),
    "journal": ("rows", "wire"),
    "memory": ("rows", "query"),
    "stream": ("rows", "transport", "wire"),
    "runtime": ("rows", "transport", "history", "query"),
}
"""The folders of `plant`, lowest floor first, and those that each may import besides itself and the root's modules."""

LOWER = tuple(BELOW)
BELOW |= dict.fromkeys(("serving", "client", "transfer", "audit"), LOWER)
BELOW["command"] = tuple(BELOW)

MOST_FILES, MOST_LINES = 14, 350
LONGER = {"plant/journal/journal.py": "appending and reading are to part"}

SAME_NAME = {
    "connect": "a socket's (ZeroMQ's word, beside bind), and what a user opens",
    "Block": "records of a segment that lie together, and rows of a table in memory that do",
}
"""Names that two modules of `plant` define, each with its reason."""

FILES = sorted(f for package in PACKAGES for f in (ROOT / package).rglob("*.py"))


def name_of(file: Path) -> str:
    """Return the module's dotted name, e.g. plant.wire.record."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def folders_of(package: Path) -> set[Path]:
    """Return the folders of a package that hold modules, itself included."""
    return {file.parent for file in package.rglob("*.py")}


NAMES = {name_of(file) for file in FILES}


def imports_of(file: Path, at_load: bool = False) -> set[str]:
    """Return what of our packages a module imports, as dotted names; `at_load` leaves out what it imports later.

    Later is within a function, or under TYPE_CHECKING (never).
    """
    tree = ast.parse(file.read_text())
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        later |= isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if at_load and later:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import; write the whole name"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in NAMES else str(node.module) for name in whole)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return {name for name in found if name.split(".")[0] in PACKAGES}


def test_there_is_something_to_look_at() -> None:
    assert {"plant.rows.batch", "tickerplant.sequencer", "rdb.__main__"} <= NAMES
    assert imports_of(ROOT / "plant/rows/batch.py", at_load=True) == {"plant.rows.columns"}
    assert "plant.errors" in imports_of(ROOT / "plant/__init__.py", at_load=True)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_process_imports_plant_and_itself_and_plant_imports_no_process(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    packages = {name.split(".")[0] for name in imports_of(file)}
    assert packages <= {"plant", package}, f"{name_of(file)} imports {sorted(packages - {'plant', package})}"


def test_no_module_needs_itself() -> None:
    """Nor by what it imports within a function, or under TYPE_CHECKING."""
    graph = {name_of(f): imports_of(f) for f in FILES if f.name != "__init__.py"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(f"imports in a circle: {' -> '.join(cycle.args[1])}")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_module_and_public_definition_says_what_it_is(file: Path) -> None:
    """Functions and classes everywhere; in `plant`, which users call, methods too, unless they are a base class's."""
    tree = ast.parse(file.read_text())
    silent = [] if ast.get_docstring(tree) else ["the module itself"]

    def visit(node: ast.Module | ast.ClassDef, prefix: str) -> None:
        for child in node.body:
            if not isinstance(child, ast.ClassDef | ast.FunctionDef) or child.name.startswith("_"):
                continue
            inherits = isinstance(node, ast.ClassDef) and bool(node.bases)
            if not ast.get_docstring(child) and not inherits:
                silent.append(prefix + child.name)
            if isinstance(child, ast.ClassDef) and file.relative_to(ROOT).parts[0] == "plant":
                visit(child, f"{child.name}.")

    visit(tree, "")
    assert not silent, f"{name_of(file)}: no docstring on {', '.join(silent)}"


def folder_of(name: str) -> str:
    """Return the folder of `plant` that a module lies in, "" for the root."""
    parts = name.split(".")
    return parts[1] if len(parts) > 2 else ""


IN_PLANT = [f for f in FILES if f.relative_to(ROOT).parts[0] == "plant" and f != ROOT / "plant/__init__.py"]


@pytest.mark.parametrize("file", IN_PLANT, ids=name_of)
def test_a_module_imports_only_lower_floors(file: Path) -> None:
    """Every import counts, also within functions and under TYPE_CHECKING; `plant` itself is for users."""
    folder, imported = folder_of(name_of(file)), imports_of(file)
    assert "plant" not in imported, "import from the module that has it"
    if not folder:
        assert imported <= {"plant.errors"}, "a module at the root imports only errors"
        return
    others = {folder_of(name) for name in imported} - {"", folder}
    assert others <= set(BELOW[folder]), f"{folder} may import {', '.join(BELOW[folder]) or 'no other folder'}"


def test_the_folders_of_plant_are_those_with_a_floor() -> None:
    assert {f.name for f in folders_of(ROOT / "plant")} == {"plant", *BELOW}


@pytest.mark.parametrize("folder", list(BELOW), ids=str)
def test_the_face_of_a_folder_is_a_docstring(folder: str) -> None:
    tree = ast.parse((ROOT / "plant" / folder / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_folders_and_files_stay_small() -> None:
    for package in PACKAGES:
        for folder in folders_of(ROOT / package):
            count = len([f for f in folder.glob("*.py") if f.name != "__init__.py"])
            assert count <= MOST_FILES, f"{folder}: {count} files"
    for file in FILES:
        lines = len(file.read_text().splitlines())
        assert lines <= MOST_LINES or str(file.relative_to(ROOT)) in LONGER, f"{file}: {lines} lines"


def test_no_module_of_plant_stands_in_the_place_of_what_a_user_imports() -> None:
    tree = ast.parse((ROOT / "plant/__init__.py").read_text())
    (names,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    public = set(ast.literal_eval(names))
    modules = {f.stem for f in (ROOT / "plant").iterdir() if f.suffix == ".py" or (f / "__init__.py").is_file()}
    assert public & modules == {"errors"}


def test_a_name_of_plant_is_defined_once() -> None:
    found: dict[str, list[str]] = {}
    for file in IN_PLANT:
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
                found.setdefault(node.name, []).append(name_of(file))
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert twice.keys() == SAME_NAME.keys(), twice


def test_the_page_on_architecture_has_a_line_for_every_folder() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    for package in PACKAGES:
        for folder in folders_of(ROOT / package):
            name = f"`{folder.relative_to(ROOT)}/`"
            assert [line for line in page.splitlines() if line.startswith(f"| {name} ")], f"no line for {name}"


def test_no_module_is_a_heap_of_leftovers() -> None:
    heaps = {"utils", "util", "helpers", "helper", "misc", "common", "tools", "lib"}
    assert not {name for name in NAMES if heaps & set(name.split("."))}


def test_every_package_is_installed() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(f.relative_to(ROOT).parts) for p in PACKAGES for f in folders_of(ROOT / p)}
    assert set(declared) == there


def test_no_file_of_the_dashboard_carries_the_name_of_a_package() -> None:
    """`streamlit run dashboard/app.py` puts that folder first on the path."""
    taken = {*PACKAGES, *sys.stdlib_module_names, "streamlit", "plotly", "pandas", "numpy", "polars", "duckdb", "zmq"}
    names = {file.stem for file in (ROOT / "dashboard").glob("*.py")} - {"__init__", "__main__"}
    assert not names & taken


def test_no_test_folder_shadows_a_package() -> None:
    assert not {f.name for f in (ROOT / "tests").iterdir() if f.is_dir()} & set(PACKAGES)
