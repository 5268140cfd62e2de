"""What a SELECT may not do with times, because its answer would be another instant than it says.

A query sees times as TIMESTAMP_NS in UTC, without a zone. DuckDB casts a text with an offset to that as if the offset
were not there, and gives the clock of another zone a type that an answer would call UTC.
"""

import re
from collections.abc import Iterable
from typing import Any

from plant.errors import QueryError

_MOMENT = r"\s*\d{4}-\d\d?-\d\d?[ T]\d\d?:\d\d[:.\d]*\s*"
_UTC = r"(?:Z|UTC|[+-]00(?::?00)?)\s*$"
_WITH_ZONE = re.compile(rf"{_MOMENT}(?!{_UTC})([+-]\d\d?(?::?\d\d)*|[A-Za-z][\w/+-]*)\s*")


def check(nodes: Iterable[dict[str, Any]]) -> None:
    """Raise QueryError if a node of a syntax tree is a text with an offset or asks for a local clock."""
    for node in nodes:
        if str(node.get("function_name", "")).lower() == "timezone":
            raise QueryError(
                "sql: AT TIME ZONE and timezone() are not answered: every time of an answer is UTC, and a local clock "
                "would be called so; select time, and change its zone in the answer: "
                "frame['time'].dt.tz_convert('America/New_York')"
            )
        text = node.get("text") if node.get("kind") == "STRING" else None
        if isinstance(text, str) and (found := _WITH_ZONE.fullmatch(text)):
            raise QueryError(
                f"sql: {text!r} has the zone {found[1]}, which DuckDB would leave out of the comparison; times are "
                "UTC here, write it in UTC without a zone"
            )


HINT = "; times are UTC without a zone here: write now()::timestamp"
"""What helps when a time was compared with one that has a zone."""
