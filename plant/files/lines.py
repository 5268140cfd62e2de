"""The lines of a text by where they begin and end in its bytes: a text of millions is not cut into pieces."""

import numpy as np

_LF, _CR, _QUOTE = b'\n\r"'
_SOME_BYTES, _SOME_LINES = 2**20, 2**14
"""What is looked at at once: little enough for a processor's cache."""


class Lines:
    """The lines of UTF-8, which end with a line feed, a carriage return or both; line 0 is the first.

    What is left out counts as an empty line; lines that are joined are one, and those below its first are empty.
    """

    def __init__(self, text: bytes, starts: np.ndarray, stops: np.ndarray) -> None:
        self._text = text
        self._starts = starts
        self._stops = stops
        self._dropped = np.zeros(len(starts), dtype=bool)
        self._inner = np.zeros(len(starts), dtype=bool)

    @classmethod
    def of(cls, text: bytes) -> "Lines":
        """Return the lines of a text; one more, which is empty, behind a line end that is its last byte."""
        array = np.frombuffer(text, dtype=np.uint8)
        ends = _places(array, _LF)
        if b"\r" in text:
            alone = _places(array, _CR)
            followed = alone[:-1] if len(alone) and alone[-1] + 1 == len(array) else alone
            alone = np.setdiff1d(alone, followed[array[followed + 1] == _LF])  # then the line feed is the end
            ends = np.sort(np.concatenate([ends, alone]))
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends + 1])
        stops = np.append(ends, len(array))
        if b"\r\n" in text:
            both = (array[ends] == _LF) & (ends > 0) & (array[ends - 1] == _CR)
            stops[:-1] -= both
        return cls(text, starts, stops)

    def __len__(self) -> int:
        return len(self._starts)

    def text_of(self, line: int) -> str:
        """Return a line without its end."""
        return self._text[int(self._starts[line]) : int(self._stops[line])].decode()

    def bytes_of(self, first: int, last: int) -> bytes:
        """Return the lines from `first` to `last`, their ends between them."""
        return self._text[int(self._starts[first]) : int(self._stops[last])]

    def leave_out(self, which: slice) -> None:
        """Let lines count as empty."""
        self._dropped[which] = True

    def join(self, first: int, last: int) -> None:
        """Let the lines from `first` to `last` be one."""
        self._inner[first + 1 : last + 1] = True

    def odd_quotes(self) -> np.ndarray:
        """Return the lines with an odd number of quotes, in order, int64[k]; without those that are left out."""
        if b'"' not in self._text:
            return np.empty(0, dtype=np.int64)
        array = np.frombuffer(self._text, dtype=np.uint8)
        starts = self._starts[:-1] if self._starts[-1] == len(array) else self._starts  # the last is empty
        ends = [*starts[_SOME_LINES::_SOME_LINES].tolist(), len(array)]
        odd = []
        for first, end in zip(range(0, len(starts), _SOME_LINES), ends, strict=True):
            some = starts[first : first + _SOME_LINES]
            quotes = (array[some[0] : end] == _QUOTE).view(np.uint8)
            odd.append(np.bitwise_xor.reduceat(quotes, some - some[0]))
        return np.flatnonzero(np.concatenate(odd).astype(bool) & ~self._dropped[: len(starts)])

    @property
    def filled(self) -> np.ndarray:
        """Where the lines that are not empty stand, counted from 1, int64[k]."""
        return np.flatnonzero((self._stops > self._starts) & ~self._dropped & ~self._inner) + 1

    def kept(self) -> bytes:
        """Return the text without what is left out, with an end behind its last line."""
        text = self._text
        if self._dropped.any():
            array = np.frombuffer(text, dtype=np.uint8)
            text = array[np.repeat(~self._dropped, np.diff(self._starts, append=len(array)))].tobytes()
        return text if text.endswith(b"\n") else text + b"\n"


def _places(array: np.ndarray, byte: int) -> np.ndarray:
    """Return where a byte stands, int64[k]."""
    starts = range(0, len(array), _SOME_BYTES)
    found = [np.flatnonzero(array[start : start + _SOME_BYTES] == byte) + start for start in starts]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)
