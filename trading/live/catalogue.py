"""Which classes of strategies there are: those that are shipped, and one's own, in files beside plant.toml.

A file is read when it is asked for, and again once it has changed; one that cannot be read harms no other.
"""

import hashlib
import importlib
import importlib.util
import inspect
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from plant.errors import PlantError, SettingsError, nearest_names
from plant.state.strategies import PYTHON

NOT_CHOSEN = ("Manual", "Frame")
"""Classes that are shipped for the plant's own use: for orders by hand, and what a function of a DataFrame becomes."""


@dataclass(frozen=True)
class StrategyClass:
    """A class of strategies: where it is from, the SHA-256 of its source, or why it cannot be used (`error`)."""

    name: str
    file: str
    code_sha: str
    made_of: Any = None
    error: str = ""

    def data(self) -> dict[str, Any]:
        """Return what others are told of it: name, doc, parameters (JSON schema), file, code_sha, error."""
        schema = self.made_of.schema() if self.made_of is not None else {}
        doc = inspect.cleandoc(self.made_of.__doc__ or "") if self.made_of is not None else ""
        told = {"name": self.name, "doc": doc, "parameters": schema}
        return told | {"file": self.file, "code_sha": self.code_sha, "error": self.error}


class Catalogue:
    """The classes by name; `folder` has one's own, each file a module."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[str, list[StrategyClass]]] = {}
        self._lock = threading.Lock()

    def classes(self) -> dict[str, StrategyClass]:
        """Return all classes by name; of two of one name the second has an error. Any thread."""
        with self._lock:
            return self._classes()

    def choices(self) -> dict[str, StrategyClass]:
        """Return those that a strategy can be made of, by name. Any thread."""
        return {name: each for name, each in self.classes().items() if name not in NOT_CHOSEN}

    def _classes(self) -> dict[str, StrategyClass]:
        found: dict[str, StrategyClass] = {}
        files = sorted(self._folder.glob("*.py")) if self._folder.is_dir() else []
        for each in [*self._shipped(), *(c for f in files if not f.name.startswith("_") for c in self._own(f))]:
            if (other := found.get(each.name)) is None:
                found[each.name] = each
            elif other.made_of is not None:
                why = f"{each.file} and {other.file} both have a class {each.name!r}; give one another name"
                found[f"{each.name} ({Path(each.file).name})"] = StrategyClass(each.name, each.file, "", None, why)
        return found

    def named(self, class_name: str, definition: dict[str, Any]) -> StrategyClass:
        """Return the class of a strategy. Raises SettingsError for one that is not there, or cannot be used."""
        if PYTHON in definition:
            return _of_source(class_name, str(definition[PYTHON]))
        known = self.classes()
        found = known.get(class_name)
        if found is None:
            choices = self.choices()
            near = nearest_names(class_name, choices, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise SettingsError(f"there is no class {class_name!r}{hint}; classes are {', '.join(choices)}")
        if found.made_of is None:
            raise SettingsError(f"the class {class_name!r} cannot be used: {found.error}")
        return found

    def _shipped(self) -> list[StrategyClass]:
        folder = Path(__file__).parents[1] / "strategies"
        files = sorted(file for file in folder.glob("*.py") if not file.name.startswith("_"))
        return [c for file in files for c in self._of_file(file, f"trading.strategies.{file.stem}")]

    def _own(self, file: Path) -> list[StrategyClass]:
        return self._of_file(file, "")

    def _of_file(self, file: Path, module: str) -> list[StrategyClass]:
        """Return the classes of a file, `module` being its name if it is shipped."""
        try:
            source = file.read_bytes()
        except OSError as error:
            return [StrategyClass(file.stem, str(file), "", None, str(error))]
        sha = hashlib.sha256(source).hexdigest()
        if self._read.get(file, ("",))[0] != sha:
            try:
                loaded = importlib.import_module(module) if module else _loaded(file, sha)
                classes = [StrategyClass(c.__name__, str(file), sha, c) for c in _strategies_of(loaded)]
            except Exception as error:  # whatever a user's file does: the others are still there
                classes = [StrategyClass(file.stem, str(file), sha, None, f"{type(error).__name__}: {error}")]
            self._read[file] = (sha, classes)
        return self._read[file][1]


def _loaded(file: Path, sha: str) -> ModuleType:
    """Return a file as a module of its own; what lies beside it can be imported."""
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    name = f"strategy_{file.stem}_{sha[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise PlantError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _of_source(class_name: str, source: str) -> StrategyClass:
    """Return the class that a source has, the one that is named or the only one. Raises SettingsError."""
    sha = hashlib.sha256(source.encode()).hexdigest()
    name = f"strategy_{sha[:16]}"
    module = sys.modules.get(name)
    if module is None:
        module = ModuleType(name)
        sys.modules[name] = module
        try:
            exec(compile(source, name, "exec"), module.__dict__)
        except Exception as error:
            del sys.modules[name]
            raise SettingsError(f"its source cannot be used: {type(error).__name__}: {error}") from None
    found = [c for c in _strategies_of(module) if class_name in ("", c.__name__)]
    if not found and callable(function := getattr(module, "run_strategy", None)):
        from trading.strategies.frame import frame_strategy

        return StrategyClass(class_name or "Frame", "", sha, frame_strategy(function))
    if len(found) != 1:
        raise SettingsError(f"its source has {len(found)} classes of strategies called {class_name!r}; expected one")
    return StrategyClass(found[0].__name__, "", sha, found[0])


def _strategies_of(module: ModuleType) -> list[type]:
    """Return the classes of strategies that a module defines itself."""
    from trading.strategy import Strategy

    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Strategy))
    return [each for each in found if each.__module__ == module.__name__ and not each.__name__.startswith("_")]
