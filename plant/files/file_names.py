"""What the name of a file says: the files of a pattern, the symbol and the interval of a file's rows."""

import glob
import os
import re
from pathlib import Path

_ENDINGS = re.compile(r"(\.(csv|txt|tsv|xlsx|xlsm|parquet|pq|arrow|feather|gz))+$", re.IGNORECASE)
_LENGTH = r"(?:\d+)(?:seconds?|secs?|s|minutes?|mins?|m|hours?|h|days?|d)"
_KIND = r"(?:daily|hourly|days?|hours?|minutes?|bars?|trades?|quotes?|ticks?|ohlcv?)"
_NO_SYMBOL = re.compile(
    rf"(?:[._ -](?:(?:19|20)\d\d(?:[._-]?\d\d){{0,2}}|{_LENGTH}|{_KIND})"
    r"|\s*[\[(]\d+[\])])+$",
    re.IGNORECASE,
)
"""What may stand behind a symbol: dates, the length of a bar, the kind of rows, the number of a copy."""


def files_of(path: str | os.PathLike[str]) -> list[Path]:
    """Return the files of a path or of a pattern ("data/*_1min.csv"), by name; raises ValueError if none matches.

    A file whose own name has a bracket in it is meant as it stands.
    """
    text = os.fspath(path)
    if not glob.has_magic(text) or Path(text).exists():
        return [Path(text)]
    found = sorted(glob.glob(text, recursive=True))
    if not found:
        raise ValueError(f"paths: no file matches {text} (looked in {Path.cwd()})")
    return [Path(each) for each in found]


def symbol_in(path: Path) -> str:
    """Return the symbol that a file is named for: its name without ending, dates, length of bars and kind of rows.

    >>> [symbol_in(Path(n)) for n in ("BRK.A.csv", "BTC_USDT-1h.csv", "AAPL_1min.csv.gz", "IBM_20131007_trades.pq")]
    ['BRK.A', 'BTC_USDT', 'AAPL', 'IBM']
    """
    name = _ENDINGS.sub("", path.name)
    return (_NO_SYMBOL.sub("", name) or name).strip()


def interval_in(path: Path) -> str:
    """Return the length of bars that a file's name tells, "" if it tells none.

    >>> interval_in(Path("BTC_USDT-1h.csv")), interval_in(Path("AAPL_5min.csv")), interval_in(Path("AAPL.csv"))
    ('1h', '5m', '')
    """
    behind = _NO_SYMBOL.search(_ENDINGS.sub("", path.name))
    told = re.findall(rf"(?<=[._ -])(?:{_LENGTH}|daily|hourly)(?![A-Za-z0-9])", behind[0], re.I) if behind else []
    if not told:
        return ""
    text = {"daily": "1d", "hourly": "1h"}.get(told[0].lower(), told[0].lower())
    return re.sub(r"^0*(\d+)([smhd]).*", r"\1\2", text)
