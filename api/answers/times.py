"""Times on the way out: RFC 3339 in UTC with as many digits as needed, or milliseconds, or nanoseconds as texts."""

from typing import Any

import numpy as np

from plant.rows.schema import UNKNOWN_TIME

FORMS = ("rfc3339", "ms", "ns")
"""`ns` are texts: an int64 is beyond a JavaScript number."""


def told_times(times: np.ndarray, form: str = "rfc3339") -> list[Any]:
    """Return times, int64[n] ns since 1970 UTC, as they are told; one that is not known is None.

    >>> told_times(np.array([1763649000 * 10**9, 1763649000 * 10**9 + 250_000_000, UNKNOWN_TIME]))
    ['2025-11-20T14:30:00Z', '2025-11-20T14:30:00.25Z', None]
    """
    if form == "ms":
        found: list[Any] = (times // 10**6).tolist()
    elif form == "ns":
        found = times.astype(str).tolist()
    else:
        whole = times % 10**9 == 0
        found = np.datetime_as_string(times.view("M8[ns]"), unit="s").tolist()
        if not whole.all():
            for place in np.flatnonzero(~whole).tolist():
                found[place] += f".{int(times[place]) % 10**9:09d}".rstrip("0")
        found = [f"{text}Z" for text in found]
    for place in np.flatnonzero(times == UNKNOWN_TIME).tolist():
        found[place] = None
    return found


def told_time(time: int | None, form: str = "rfc3339") -> Any:
    """Return one time as it is told, None if it is not known."""
    return None if time is None else told_times(np.array([time], dtype=np.int64), form)[0]
