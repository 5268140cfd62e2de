"""The state of a state machine as arrays and plain values: what a checkpoint has of it.

Each has `saved()`, which copies, and `restore(saved)`, for one that is new and of the same settings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

Saved = dict[str, Any]
"""By name an array, a plain value (numbers, texts, and lists, tuples and dicts of them), or the Saved of a part."""


def saved_of(one: object, names: Iterable[str]) -> Saved:
    """Return some attributes, copied as far as they are changed in place; sets become lists."""
    return {name: _copied(getattr(one, name)) for name in names}


def restore_to(one: object, saved: Mapping[str, Any], names: Iterable[str]) -> None:
    """Give a new state machine the attributes that `saved_of` returned. Raises ValueError if they are of another kind.

    Sequences may have become tuples meanwhile.
    """
    for name in names:
        if name not in saved:
            raise ValueError(f"{type(one).__name__}: expected {name}, found {', '.join(saved)}")
        value, known = saved[name], getattr(one, name)
        if isinstance(known, np.ndarray):
            if not isinstance(value, np.ndarray) or (value.dtype, value.ndim) != (known.dtype, known.ndim):
                raise ValueError(f"{type(one).__name__}.{name}: expected {_kind(known)}, found {_kind(value)}")
        elif isinstance(known, list | set):
            value = type(known)(value)
        elif type(value) is not type(known):
            raise ValueError(f"{type(one).__name__}.{name}: expected {_kind(known)}, found {_kind(value)}")
        setattr(one, name, value)


Waiting = dict[Any, tuple[np.ndarray, str]]
"""Bars by slot and start that wait to be given out: values float64[7], and the feed."""


def waiting_saved(bars: Waiting) -> list[tuple[Any, ...]]:
    """Return bars that wait as plain values."""
    return [(key, values.tolist(), feed) for key, (values, feed) in bars.items()]


def waiting_of(saved: Sequence[Any]) -> Waiting:
    """Return the bars again."""
    return {key: (np.array(values), feed) for key, values, feed in saved}


def _copied(value: Any) -> Any:
    if isinstance(value, set):
        return list(value)
    return value.copy() if isinstance(value, np.ndarray | list | dict) else value


def _kind(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
