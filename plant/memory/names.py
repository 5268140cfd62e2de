"""The strings of a symbol column in memory, each with a code that it keeps."""

import numpy as np
import pyarrow as pa

from plant.rows.columns import Symbols


class Names:
    """The strings of a symbol column; each keeps its code, its place in `names`, for ever."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._code_of: dict[str, int] = {}
        self._same_names: list[str] = []
        self._same_codes = np.empty(0, dtype=np.int32)
        self._ranks = np.empty(0, dtype=np.int32)
        self._dictionary = pa.array([], pa.string())

    def codes(self, value: Symbols) -> np.ndarray:
        """Return the codes of a column, int32[n]; new names are added."""
        if value.names == self._same_names:  # batch after batch, a feed sends the same symbols
            return self._same_codes[value.codes]
        known = self._code_of
        translate = np.empty(len(value.names), dtype=np.int32)
        for i, name in enumerate(value.names):
            code = known.get(name)
            if code is None:
                code = len(self.names)
                self.names.append(name)
                known[name] = code
            translate[i] = code
        self._same_names, self._same_codes = value.names, translate
        return translate[value.codes]

    def code(self, name: str) -> int:
        """Return the code of a name, -1 if no row ever had it."""
        return self._code_of.get(name, -1)

    def ranks(self) -> np.ndarray:
        """Return the place of each code among the sorted names, int32[n]."""
        ranks = self._ranks
        count = len(self.names)
        if len(ranks) < count:
            names = self.names[:count]
            ranks = np.empty(count, dtype=np.int32)
            ranks[sorted(range(count), key=names.__getitem__)] = np.arange(count, dtype=np.int32)
            self._ranks = ranks
        return ranks

    def dictionary(self) -> pa.Array:
        """Return the names as an Arrow array."""
        dictionary = self._dictionary
        if len(dictionary) < len(self.names):
            dictionary = self._dictionary = pa.array(self.names, pa.string())
        return dictionary
