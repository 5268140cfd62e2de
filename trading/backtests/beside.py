"""What a strategy can reach beside the engine: series in its module, its class or a closure, and files that it reads.

No engine can cut what it does not hand out. Here it is found, so that the look-ahead check can change it after a moment
(and put it back), and say what it could not prove.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHIFT = 1.1
"""By what numbers after a moment are multiplied."""

_DEEPEST, _MOST_ITEMS = 4, 200
"""So far containers and objects are looked into, and so many of their items."""


class Held(NamedTuple):
    """A series that a strategy can reach: `where` by its names, `data` a DataFrame, Series, array or sequence."""

    where: str
    data: Any

    def __str__(self) -> str:
        return f"{self.where}, a {type(self.data).__name__} of {len(self.data):,} rows"


def held_by(strategy: type, rows: int) -> list[Held]:
    """Return what a class of strategies can reach of series that have times, or at least so many rows."""
    found: dict[int, Held] = {}
    seen: set[int] = set()
    for cls in strategy.__mro__:
        if cls.__module__.split(".")[0] not in ("builtins", "trading"):
            for name, value in vars(cls).items():
                _look(value, f"{cls.__name__}.{name}", 0, rows, found, seen)
        elif (function := vars(cls).get("function")) is not None:  # of a strategy that was made of a function
            _look(function, cls.__name__, 0, rows, found, seen)
    return list(found.values())


def _look(value: Any, where: str, depth: int, rows: int, found: dict[int, Held], seen: set[int]) -> None:
    if id(value) in seen or depth > _DEEPEST:
        return
    seen.add(id(value))
    inner = getattr(value, "__func__", None) or getattr(value, "fget", None) or getattr(value, "__wrapped__", None)
    if isinstance(inner, FunctionType):
        value = inner
    if _is_series(value, rows):
        found[id(value)] = Held(where, value)
    elif isinstance(value, FunctionType):
        for name, inside in _reached(value):
            _look(inside, name, depth + 1, rows, found, seen)
    elif isinstance(value, Mapping):
        for key, inside in list(value.items())[:_MOST_ITEMS]:
            _look(inside, f"{where}[{key!r}]", depth + 1, rows, found, seen)
    elif isinstance(value, list | tuple | set):
        for at, inside in enumerate(list(value)[:_MOST_ITEMS]):
            _look(inside, f"{where}[{at}]", depth + 1, rows, found, seen)
    elif _is_own(type(value)) and hasattr(value, "__dict__"):
        for name, inside in vars(value).items():
            _look(inside, f"{where}.{name}", depth + 1, rows, found, seen)


def _reached(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield what a function names: of its module, of modules of one's own, of what encloses it, its defaults."""
    names = _names(function.__code__)
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            if _is_ones_own(getattr(value, "__file__", None)):
                yield from ((f"{name}.{inner}", vars(value)[inner]) for inner in names if inner in vars(value))
        elif value is not None:
            yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not set yet
            continue
    yield from ((f"a default of {function.__name__}", value) for value in function.__defaults__ or ())


def _names(code: CodeType) -> list[str]:
    inner = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names(part)]
    return [*code.co_names, *inner]


def _is_own(kind: type) -> bool:
    """Return whether a class is somebody's own, not of a library or of ours."""
    module = sys.modules.get(kind.__module__)
    if kind.__module__.split(".")[0] in ("builtins", "trading", "plant"):
        return False
    return _is_ones_own(getattr(module, "__file__", None)) or kind.__module__ == "__main__"


def _is_ones_own(file: str | None) -> bool:
    return file is not None and not _of_an_installation(file)


def _of_an_installation(path: str) -> bool:
    return path.startswith((sys.prefix, sys.base_prefix, "/usr/lib", "/usr/share"))


def _is_series(value: Any, rows: int) -> bool:
    """Return whether it is a series of a market: with times, or numbers of so many rows."""
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        return len(value) > 1 and (_times_of(value) is not None or len(value) >= rows)
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and len(value) >= rows
    if isinstance(value, list | tuple):
        return len(value) >= rows and isinstance(value[0], int | float)
    if isinstance(value, Mapping):
        return len(value) >= rows and isinstance(next(iter(value.values())), int | float)
    return (
        type(value).__module__.split(".")[0] in ("pyarrow", "polars") and hasattr(value, "__len__") and len(value) > 1
    )


def _times_of(data: Any) -> NDArray[np.int64] | None:
    """Return the times that rows of a frame or Series have, ns, by index or by a column; None: they have none."""
    import pandas as pd

    if isinstance(data.index, pd.DatetimeIndex):
        return _ns(data.index)
    for name, column in data.items() if isinstance(data, pd.DataFrame) else ():
        if pd.api.types.is_datetime64_any_dtype(column) or str(name).strip().lower() == "time":
            try:
                return _ns(pd.DatetimeIndex(pd.to_datetime(column, utc=True)))
            except (TypeError, ValueError):
                continue
    return None


def _ns(index: Any) -> NDArray[np.int64]:
    return np.array((index.tz_localize("UTC") if index.tz is None else index.tz_convert("UTC")).as_unit("ns").asi8)


@contextmanager
def changed_after(held: Sequence[Held], moment: int, starts: NDArray[np.int64]) -> Iterator[None]:
    """Change what is held from a moment on, for as long as this lasts.

    moment   ns; rows without times are taken to be those of the bars, whose `starts` these are
    """
    undo: list[Callable[[], None]] = []
    try:
        for each in held:
            undo += _change(each.data, moment, starts)
        yield
    finally:
        for back in reversed(undo):
            back()


def _change(data: Any, moment: int, starts: NDArray[np.int64]) -> list[Callable[[], None]]:
    import pandas as pd

    if isinstance(data, pd.DataFrame | pd.Series):
        times = _times_of(data)
        later = times >= moment if times is not None else _by_place(len(data), moment, starts)
        if isinstance(data, pd.Series):
            if not pd.api.types.is_numeric_dtype(data):
                return []
            before = data.to_numpy(copy=True)
            data.iloc[:] = _other(before, later)
            return [lambda: data.iloc.__setitem__(slice(None), before)]
        columns = {name: data[name] for name in data if pd.api.types.is_numeric_dtype(data[name])}
        for name, column in columns.items():
            data[name] = _other(column.to_numpy(), later)

        def back() -> None:
            for name, column in columns.items():
                data[name] = column

        return [back]
    if isinstance(data, np.ndarray) and data.flags.writeable and data.dtype.kind in "fiub":
        kept = data.copy()
        data[:] = _other(kept, _by_place(len(data), moment, starts))
        return [lambda: data.__setitem__(slice(None), kept)]
    return []


def _by_place(count: int, moment: int, starts: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.arange(count) >= int(np.searchsorted(starts, moment))


def _other(values: NDArray[Any], later: NDArray[np.bool_]) -> NDArray[Any]:
    """Return values of which the later ones are others."""
    changed = values.copy()
    if values.dtype.kind == "b":
        changed[later] = ~values[later]
    elif values.dtype.kind in "iu":
        changed[later] = values[later] + np.maximum(np.abs(values[later]) // 10, 1).astype(values.dtype)
    elif values.dtype.kind == "f":
        changed[later] = values[later] * SHIFT
    return changed


_ASKS = ("pyarrow.parquet", "pyarrow.feather", "pyarrow.dataset", "polars.io", "plant.transport.request")
"""Modules that read files, or ask the plant, in C++: no audit hook hears of that."""
_READ = {"open": "reads {}", "sqlite3.connect": "asks {}", "socket.connect": "connects to {}"}
_told: list[str] | None = None
_hooked = False


@contextmanager
def reads_told() -> Iterator[list[str]]:
    """Give a list of what is read from files and asked of others meanwhile, each once: "reads prices.csv".

    Files of Python and of the system do not count. An audit hook tells of them, which Python cannot take away again;
    and of what reads in C++ a profiler, which is why this is for one run only.
    """
    global _told, _hooked
    if not _hooked:
        sys.addaudithook(_audit)
        _hooked = True
    before, _told, profiler = _told, [], sys.getprofile()
    sys.setprofile(_called)
    try:
        yield _told
    finally:
        sys.setprofile(profiler)
        _told = before


def _called(frame: FrameType, event: str, _: Any) -> None:
    name, module = frame.f_code.co_name, frame.f_globals.get("__name__", "")
    if event == "call" and name.startswith(("read", "scan", "dataset", "ask")) and module.startswith(_ASKS):
        told = f"calls {module}.{name}"
        if _told is not None and not any(module.split(".")[0] in each for each in _told):
            _told.append(told)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _told is None or event not in _READ:
        return
    what = arguments[1] if event == "socket.connect" else arguments[0]
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = flags & os.O_ACCMODE == os.O_WRONLY if mode is None else not {"r", "+"} & set(mode)
        if isinstance(what, int) or writes:
            return
        what = what.decode(errors="replace") if isinstance(what, bytes) else str(what)
        whole = str(Path(what).absolute())
        if _of_an_installation(whole) or whole.startswith(("/proc", "/sys", "/dev", "/etc")):
            return
        if whole.endswith((".py", ".pyc", ".so", ".pth")):
            return
    told = _READ[event].format(what)
    if told not in _told:
        _told.append(told)
