"""Which trades set which fields of a bar, by their sale conditions (US equities, consolidated tapes).

From the consolidated update rules of the SIPs as Massive's /v3/reference/conditions gives them. `conditions` of a trade
are Massive's numbers and the SIPs' letters, separated by commas or blanks ("12,37", "@ T I"); a SIP's digit would be
taken for a number, so a feed gives its number instead (`NUMBER_OF_DIGIT`). Venues whose codes mean something else leave
the column empty: without conditions every trade counts.
"""

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

PRICE, EXTREMES, VOLUME, WEAK, CLOSING, CORRECTED_CLOSE = 1, 2, 4, 8, 16, 32
"""What a trade sets: open and close; high and low; volume. WEAK: open and close of a bar that has no other price.
CLOSING: a closing print, which also sets the close and adds to the volume of the day's bar if it comes after the close.
CORRECTED_CLOSE: the close of the day's bar, and nothing else."""

ALL = PRICE | EXTREMES | VOLUME
NO_PRICE = EXTREMES | VOLUME | WEAK
_LIMITS = {"all": ALL, "extremes": NO_PRICE, "volume": VOLUME, "nothing": 0}

BY_NUMBER: dict[str, tuple[int, ...]] = {
    "all": (0, 1, 3, 4, 8, 9, 11, 14, 18, 19, 23, 24, 25, 27, 28, 30, 31, 34, 35, 36, 41, 55),
    "extremes": (5, 10, 17, 22, 32, 33),
    "volume": (2, 7, 12, 13, 20, 21, 29, 37, 52, 53),
    "nothing": (15, 16, 38),
}
"""What trades with Massive's numbers set; from NEUTRAL_FROM on a number changes nothing."""

NEUTRAL_FROM = 57
CLOSING_PRINTS = (8, 19)
CORRECTED = 38
FORM_T, SOLD_LATE, OUT_OF_SEQUENCE = 12, 13, 32

BY_LETTER: dict[str, int] = {
    "@": 0, "A": 1, "W": 2, "E": 3, "G": 5, "C": 7, "X": 9, "D": 11, "F": 14, "T": 12, "U": 13, "M": 15, "Q": 16,
    "N": 20, "H": 21, "P": 22, "K": 23, "R": 29, "L": 30, "Z": 32, "S": 34, "Y": 36, "I": 37, "V": 52,
}  # fmt: skip
"""The number of each letter of a SIP that has one meaning on all tapes."""

BY_TAPE: dict[str, Mapping[str, int]] = {
    "B": {"A": 2, "B": 2, "C": 4},  # average price; bunched
    "O": {"A": 17, "B": 17, "C": 25},  # the market center's opening; the opening
}
"""The number of a letter that means something else on each tape; on none that is told, as on C."""

NUMBER_OF_DIGIT = {"1": 27, "4": 10, "5": 28, "6": 8, "7": 53, "9": 38}
"""The number of each digit that a SIP uses as a letter: what a feed puts into `conditions` instead."""

_RULES = {number: _LIMITS[rule] for rule, numbers in BY_NUMBER.items() for number in numbers}
_REMEMBERED = 10_000


class Conditions:
    """What trades set; remembers each combination of conditions, and counts unknown ones, which count as regular."""

    def __init__(self) -> None:
        self.unknown: Counter[str] = Counter()
        self._ids: dict[tuple[str, str], int] = {}
        self._names: list[tuple[str, ...]] = []
        self._flags: np.ndarray = np.empty((2, 0), dtype=np.uint8)

    def of(self, texts: list[str], tapes: list[str], regular: np.ndarray) -> np.ndarray:
        """Return what each of n trades sets, uint8[n]: the sum of the constants above.

        `texts` are their conditions, `regular` (bool[n]) says which were made in a regular session.
        """
        if len(self._ids) > _REMEMBERED:
            self._ids, self._names = {}, []
            self._flags = np.empty((2, 0), dtype=np.uint8)
        keys = list(zip(texts, tapes, strict=True))
        for key in {*keys} - self._ids.keys():
            self._ids[key] = len(self._names)
            within, outside, unknown = read(*key)
            self._flags = np.append(self._flags, np.array([[within], [outside]], dtype=np.uint8), axis=1)
            self._names.append(unknown)
        ids = np.fromiter(map(self._ids.__getitem__, keys), np.int64, len(keys))
        if any(self._names):
            for at, times in enumerate(np.bincount(ids, minlength=len(self._names)).tolist()):
                for name in self._names[at]:
                    self.unknown[name] += times
        found: np.ndarray = np.where(regular, self._flags[0, ids], self._flags[1, ids])
        return found


def read(text: str, tape: str = "") -> tuple[int, int, tuple[str, ...]]:
    """Return what a trade sets in a regular session, what outside of one, and which of its conditions are unknown.

    Of several conditions a field is set only if each allows it. Outside a regular session form T (12) is regular, and
    sold late (13) counts as out of sequence, or there would be no bar.

    >>> read("37"), read("@ T"), read("Z"), read("O", "A"), read("8"), read("??")
    ((4, 4, ()), (4, 7, ()), (14, 14, ()), (14, 14, ()), (23, 23, ()), (7, 7, ('??',)))
    """
    numbers, unknown = [], []
    for name in re.split(r"[\s,;]+", text.strip()):
        if not name:
            continue
        number = int(name) if name.isascii() and name.isdigit() else _of_letter(name, tape)
        if number is None or not (number in _RULES or number >= NEUTRAL_FROM):
            unknown.append(name)
        else:
            numbers.append(number)
    outside = [{FORM_T: 0, SOLD_LATE: OUT_OF_SEQUENCE}.get(number, number) for number in numbers]
    return _together(numbers), _together(outside), tuple(unknown)


def _of_letter(name: str, tape: str) -> int | None:
    if name in BY_TAPE:
        return BY_TAPE[name].get(tape, BY_TAPE[name]["C"])
    return BY_LETTER.get(name)


def _together(numbers: list[int]) -> int:
    limits = [_RULES.get(number, ALL) for number in numbers]
    flags = ALL
    for limit in limits:
        flags &= limit
    if flags & EXTREMES and not flags & PRICE:
        flags |= WEAK
    if flags & VOLUME and any(number in CLOSING_PRINTS for number in numbers):
        flags |= CLOSING
    if CORRECTED in numbers:
        flags |= CORRECTED_CLOSE
    return flags
