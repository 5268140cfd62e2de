"""The direction of imports, and what every module owes its reader; read from the source, so nothing is imported."""

import ast
import doctest
import sys
import tomllib
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROCESSES = (
    "tickerplant",
    "rdb",
    "processor",
    "hdb",
    "feedhandler",
    "dashboard",
    "monitor",
    "trading",
    "api",
    "mirror",
    "archive",
)
PACKAGES = ("plant", *PROCESSES)
BELOW: dict[str, tuple[str, ...]] = {
    "rows": (),
    "transport": (),
    "calendars": (),
    "wire": ("rows",),
    "intake": ("rows",),
    "history": ("rows", "calendars"),
    "files": ("rows",),
    "query": ("rows",),
    "indicators": ("rows",),
    "state": ("rows",),
    "journal": ("rows", "wire"),
    "memory": ("rows", "query"),
    "sql": ("rows", "query"),
    "stream": ("rows", "transport", "wire", "intake"),
    "detectors": ("rows", "calendars", "indicators", "state"),
    "conditions": ("rows", "calendars", "indicators", "detectors"),
    "runtime": ("rows", "transport", "calendars", "history", "query", "indicators", "conditions", "detectors"),
}
"""The folders of `plant`, lowest floor first, and those that each may import besides itself and the root's modules."""

LOWER = tuple(BELOW)
BELOW |= dict.fromkeys(("serving", "client", "transfer", "audit"), LOWER)
BELOW["control"] = (*LOWER, "client")
BELOW["command"] = tuple(BELOW)

MOST_FILES, MOST_LINES = 14, 350

SAME_NAME = {
    "connect": "a socket's (ZeroMQ's word, beside bind), and what a user opens",
    "Keys": "CURVE keys of sockets, and keys of those who use the service",
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
    assert imports_of(ROOT / "plant/rows/batch.py", at_load=True) == {"plant.rows.columns", "plant.rows.schema"}
    assert "plant.errors" in imports_of(ROOT / "plant/__init__.py", at_load=True)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_process_imports_plant_and_itself_and_plant_imports_no_process(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    packages = {name.split(".")[0] for name in imports_of(file)}
    assert packages <= {"plant", package}, f"{name_of(file)} imports {sorted(packages - {'plant', package})}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_process_takes_of_the_command_only_the_terminal_and_in_its_own_command(file: Path) -> None:
    folder = file.relative_to(ROOT).parts[0]
    of_command = {name for name in imports_of(file) if folder != "plant" and folder_of(name) == "command"}
    assert of_command <= ({"plant.command.terminal"} if file.name == "command.py" else set())


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
        assert lines <= MOST_LINES, f"{file}: {lines} lines"


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


TESTS, BENCHMARKS = ROOT / "tests", ROOT / "benchmarks"
BESIDE = {"root", "processes", "project", "support", "endtoend"}
"""Tests of the modules at the root of `plant`, of the processes, of the repository itself, helpers, the whole plant."""


def test_a_folder_of_tests_is_one_of_plant_or_one_of_those_named_here() -> None:
    """Only test_*.py lie in them, and helpers in support/."""
    files = [f.relative_to(TESTS) for f in TESTS.rglob("*.py")]
    assert {file.parts[0] for file in files} <= {*BELOW, *BESIDE, "conftest.py"}
    assert not [str(file) for file in files if len(file.parts) > 2]
    helpers = {str(f) for f in files if not f.name.startswith("test_") and f.name != "conftest.py"}
    assert helpers == {str(f) for f in files if f.parts[0] == "support"}


def called_after(name: str) -> tuple[str, str]:
    """Return the folder of the tests of a module, and what their files are called after `test_`.

    >>> called_after("plant.wire.record"), called_after("plant.errors"), called_after("rdb.__main__")
    (('wire', 'wire_record'), ('root', 'root_errors'), ('processes', 'rdb_main'))
    """
    package, *parts = name.replace("__main__", "main").split(".")
    if package != "plant":
        return "processes", "_".join((package, *parts))
    folder, module = parts if len(parts) > 1 else ("root", parts[0])
    return folder, f"{folder}_{module}"


def test_a_test_is_called_after_the_module_it_is_about() -> None:
    """A few words about one of the module's tests may follow."""
    assert doctest.testmod(sys.modules[__name__]).failed == 0
    called = {called_after(name) for name in NAMES}
    for folder in ("root", *BELOW, "processes"):
        for file in (TESTS / folder).glob("*.py"):
            named = [name for where, name in called if where == folder and f"{file.stem}_".startswith(f"test_{name}_")]
            assert named, f"{file.relative_to(ROOT)}: no module is called so"


@pytest.mark.parametrize("top", [TESTS, BENCHMARKS], ids=lambda top: top.name)
def test_names_of_tests_and_benchmarks_are_unique(top: Path) -> None:
    """So each is found by its name, and a test may be named without its folder."""
    found = Counter(file.name for file in top.rglob("*.py"))
    assert {n for n, times in found.items() if times > 1} <= {"conftest.py", "__main__.py"}


def test_no_test_or_benchmark_can_be_taken_for_something_else() -> None:
    """No folder is a package, nor called as one of ours; what can be imported by itself is called as nothing else."""
    paths = [path for top in (TESTS, BENCHMARKS) for path in top.rglob("*") if path.is_dir() or path.suffix == ".py"]
    assert not [path for path in paths if path.name == "__init__.py"]
    assert not [path for path in paths if path.stem in PACKAGES]
    taken = {*BELOW, *sys.stdlib_module_names, *packages_distributions()}
    assert not {"benchmarks", *(file.stem for file in (TESTS / "support").glob("*.py"))} & taken
