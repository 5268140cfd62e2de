"""The words of a condition's text, each with its place, and the same text in Python's own words.

Python parses conditions (`ast`), so what Python does not know is written as something of the same length that binds as
tightly: `crosses above`, `rising`, `between` and its `and` become `in`, padded with blanks. Names and numbers become
names and numbers of the same length that mean nothing to Python. So a place in Python's tree is a place in the text,
and nothing that a user wrote reaches Python but operators and parentheses.
"""

import re
from typing import NamedTuple

from plant.conditions.condition import MOST_CHARACTERS, MOST_DEPTH
from plant.errors import ConditionError

WORDS = ("and", "or", "not", "crosses", "above", "below", "rising", "falling", "between")
"""What no column can be called in a condition."""

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))"
    r"|(?P<name>[A-Za-z_]\w*(?:[.:]\w+)*)"
    r"|(?P<operator><=|>=|==|!=|[-+*/<>()\[\]])",
    re.ASCII,
)
_INSTEAD = {"=": "==", "&": "and", "&&": "and", "|": "or", "||": "or", "!": "not", "<>": "!=", "~": "not"}


class Token(NamedTuple):
    """A word of a condition: `kind` is number, name, value (what may stand ahead of one: - not), or operator.

    `text` is as in the source, with one blank in `crosses above`; `start` and `end` are its place in it.
    """

    kind: str
    text: str
    start: int
    end: int


def refused_at(source: str, start: int, sentence: str) -> ConditionError:
    """Return the error for what stands at `start`, counted from 0, of a condition's text."""
    shown = source if len(source) <= 200 else f"{source[:200]} ..."
    return ConditionError(f"{shown!r}, character {start + 1}: {sentence}")


def tokens_of(source: str) -> list[Token]:
    """Return the words of a text, in which values and operators alternate and parentheses close.

    Raises ConditionError with the place and what was expected there.
    """
    if len(source) > MOST_CHARACTERS:
        raise refused_at(
            source, MOST_CHARACTERS, f"a condition has at most {MOST_CHARACTERS:,} characters; take it apart"
        )
    found: list[Token] = []
    opened: list[Token] = []  # ( and [ that are not closed, and betweens whose `and` is to come
    for kind, text, start, end in _lexed(source):
        after_value = bool(found) and (found[-1].kind in ("number", "name") or found[-1].text in (")", "]"))
        if text in (")", "]"):
            if not opened or opened[-1].text != {")": "(", "]": "["}[text]:
                raise refused_at(source, start, f"{_owed(opened)}, found {text!r}")
            opened.pop()
        if kind in ("number", "name") or text in ("not", "("):
            if after_value:
                raise refused_at(source, start, f"expected an operator, found {text!r}")
            kind = kind if kind in ("number", "name") else "value"
        elif not after_value and text != "-":
            raise refused_at(source, start, f"expected a number or a name, found {text!r}")
        elif not after_value:
            kind = "value"
        elif text == "and" and opened and opened[-1].text == "between":
            opened.pop()
            text = "between and"
        token = Token(kind, text, start, end)
        if text in ("(", "[", "between"):
            opened.append(token)
            if len(opened) > MOST_DEPTH:
                raise refused_at(source, start, f"more than {MOST_DEPTH} parentheses within one another; take it apart")
        found.append(token)
    if not found or (found[-1].kind not in ("number", "name") and found[-1].text not in (")", "]")):
        raise refused_at(source, len(source), "expected a number or a name, found the end")
    if opened:
        raise refused_at(source, len(source), f"{_owed(opened)}, found the end")
    return found


def python_of(source: str, tokens: list[Token]) -> str:
    """Return an expression of Python's with the same structure, each word at the place it has in the text."""
    written = [" "] * len(source)
    for kind, text, start, end in tokens:
        if kind == "number":
            python = "1" * (end - start)
        elif kind == "name":
            python = "x" * (end - start)
        else:
            python = "in" if text[0].isalpha() and text not in ("and", "or", "not") else text
        written[start : start + len(python)] = python
    return "".join(written)


def _owed(opened: list[Token]) -> str:
    if not opened:
        return "nothing is open here that could be closed"
    wanted = {"(": "')'", "[": "']'", "between": "'and' and the upper value"}[opened[-1].text]
    return f"expected {wanted} of the {opened[-1].text!r} at character {opened[-1].start + 1}"


def _lexed(source: str) -> list[Token]:
    found: list[Token] = []
    place = 0
    while place < len(source):
        match = _TOKEN.match(source, place)
        if not match:
            raise _unreadable(source, place)
        kind, text, end = str(match.lastgroup), match[0], match.end()
        if kind == "name" and text == "crosses":
            way = re.compile(r"crosses\s+(above|below)\b", re.ASCII).match(source, place)
            if not way:
                raise refused_at(source, place, "expected 'crosses above' or 'crosses below'")
            kind, text, end = "operator", f"crosses {way[1]}", way.end()
        elif kind == "name" and text in WORDS:
            if text in ("above", "below"):
                raise refused_at(source, place, f"expected 'crosses {text}', '>' or '<', found {text!r} alone")
            kind = "operator"
        if kind != "space":
            found.append(Token(kind, text, place, end))
        place = end
    return found


def _unreadable(source: str, place: int) -> ConditionError:
    found = re.compile(r"[\w.]+|[=&|!<>~]+|.", re.DOTALL).match(source, place)
    text = found[0] if found else ""
    if text in _INSTEAD:
        return refused_at(source, place, f"found {text!r}; write {_INSTEAD[text]}")
    if text[0].isdigit():
        return refused_at(source, place, f"expected a number such as 30, 0.5 or 1e6, found {text!r}")
    return refused_at(source, place, f"{text!r} means nothing in a condition")
