"""What changed between two values of JSON, so that a refresh of the chart sends little. Pure, no Streamlit.

A change is one of
- ["=", value]: it is this now;
- ["{", {key: change}, [key, ...]]: a dict of which these keys changed or came, and those went;
- ["[", cut, kept, [place, ...], [element, ...], tail]: a list of which `cut` elements went at the front and all but
  `kept` of the rest at the end; then those places hold these elements, and `tail` follows.

`chart/changes.js` applies them in the browser as `changed` does here.
"""

from __future__ import annotations

from typing import Any

Change = list[Any]


def change(old: Any, new: Any, gone: int = 0) -> Change | None:
    """Return what makes `new` of `old`, None if they are equal. Both are JSON: dicts with str as keys, no NaN.

    `gone` is how many elements most lists lost at the front, if that is known: it makes the change smaller.

    >>> change([1, 2, 3], [2, 5, 4])
    ['[', 1, 2, [1], [5], [4]]
    >>> change({"a": 1, "b": 2}, {"a": 1, "c": 3})
    ['{', {'c': ['=', 3]}, ['b']]
    """
    if isinstance(old, dict) and isinstance(new, dict):
        parts = {key: change(old[key], value, gone) if key in old else ["=", value] for key, value in new.items()}
        found = {key: part for key, part in parts.items() if part is not None}
        dropped = [key for key in old if key not in new]
        return ["{", found, dropped] if found or dropped else None
    if isinstance(old, list) and isinstance(new, list):
        return _of_lists(old, new, gone)
    return None if _same(old, new) else ["=", new]


def changed(old: Any, made: Change | None) -> Any:
    """Return `new` of `change(old, new)`; `old` stays as it is.

    >>> changed([1, 2, 3], ["[", 1, 2, [1], [5], [4]])
    [2, 5, 4]
    """
    if made is None:
        return old
    if made[0] == "=":
        return made[1]
    if made[0] == "{":
        _, found, gone = made
        kept = {key: value for key, value in old.items() if key not in gone}
        return kept | {key: changed(old.get(key), part) for key, part in found.items()}
    _, cut, kept, places, elements, tail = made
    now = [*old[cut : cut + kept], *tail]
    for place, element in zip(places, elements, strict=True):
        now[place] = element
    return now


def _of_lists(old: list[Any], new: list[Any], gone: int) -> Change | None:
    """Elements are replaced as wholes."""
    first = next((i for i, element in enumerate(old) if _same(element, new[0])), 0) if new else 0
    cuts = {first, min(gone, len(old))}
    cut, places = min(((cut, _differing(old, new, cut)) for cut in cuts), key=lambda found: len(found[1]))
    kept = min(len(old) - cut, len(new))
    if not (cut or places or len(old) != len(new)):
        return None
    return ["[", cut, kept, places, [new[i] for i in places], new[kept:]]


def _differing(old: list[Any], new: list[Any], cut: int) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(old[cut:], new, strict=False)) if not _same(a, b)]


def _same(a: Any, b: Any) -> bool:
    """Whether they are the same JSON: Python calls true and 1 equal, JSON does not."""
    if isinstance(a, dict | list):
        return type(a) is type(b) and change(a, b) is None
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
