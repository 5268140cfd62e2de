"""The lines of a text, cut into pieces one by one: what plant.files.lines must agree with."""

import re

import numpy as np


class PlainLines:
    """Has what `Lines` has, by lists of texts."""

    def __init__(self, parts: list[bytes]) -> None:
        self._lines, self._ends = parts[0::2], [*parts[1::2], b""]
        self._empty = [not line for line in self._lines]
        self._gone = [False] * len(self._lines)

    @classmethod
    def of(cls, text: bytes) -> "PlainLines":
        return cls(re.split(rb"(\r\n|\n|\r)", text))

    def __len__(self) -> int:
        return len(self._lines)

    def text_of(self, line: int) -> str:
        return self._lines[line].decode()

    def bytes_of(self, first: int, last: int) -> bytes:
        pieces = zip(self._lines[first:last], self._ends[first:last], strict=True)
        return b"".join(line + end for line, end in pieces) + self._lines[last]

    def leave_out(self, which: slice) -> None:
        for line in range(len(self))[which]:
            self._empty[line] = self._gone[line] = True

    def join(self, first: int, last: int) -> None:
        for line in range(first + 1, last + 1):
            self._empty[line] = True

    def odd_quotes(self) -> np.ndarray:
        pairs = enumerate(zip(self._lines, self._gone, strict=True))
        return np.array([at for at, (line, gone) in pairs if not gone and line.count(b'"') % 2], dtype=np.int64)

    @property
    def filled(self) -> np.ndarray:
        return np.array([at for at, empty in enumerate(self._empty, 1) if not empty], dtype=np.int64)

    def kept(self) -> bytes:
        every = zip(self._lines, self._ends, self._gone, strict=True)
        return b"".join(line + (end or b"\n") for line, end, gone in every if not gone)
