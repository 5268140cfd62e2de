"""What is read off a SELECT's syntax tree before it is run: the columns it may use, and its types of times."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import duckdb

from plant.errors import QueryError

_WITH_ZONE = re.compile(
    r"\s*\d{4}-\d\d?-\d\d?[ T]\d\d?:\d\d[:.\d]*\s*"
    r"(?!(?:Z|UTC|[+-]00(?::?00)?)\s*$)([+-]\d\d?(?::?\d\d)*|[A-Za-z][\w/+-]*)\s*"
)
"""A text that is a time of a zone other than UTC."""

_OF_NS = {
    "TIMESTAMP": "TIMESTAMP_NS",
    "DATETIME": "TIMESTAMP_NS",
    "TIMESTAMPTZ": "TIMESTAMPTZ_NS",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ_NS",
    "TIME": "TIME_NS",
}
"""Types of microseconds, to which DuckDB would round times, or with which it compares none of ns."""

_BY_ORDER = {
    "any_value",
    "approx_quantile",
    "approx_top_k",
    "arbitrary",
    "arg_max",
    "arg_max_null",
    "arg_min",
    "arg_min_null",
    "argmax",
    "argmin",
    "array_agg",
    "first",
    "first_value",
    "group_concat",
    "json_group_array",
    "json_group_object",
    "json_group_structure",
    "last",
    "last_value",
    "list",
    "listagg",
    "lttb",
    "max_by",
    "min_by",
    "mode",
    "reservoir_quantile",
    "string_agg",
}
"""Aggregates whose value depends on the order in which rows come."""


def one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the text of the one SELECT that `sql` is. Raises QueryError."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(s.type.name for s in statements) or "nothing"
        raise QueryError(f"sql: expected one SELECT, found {kinds}; this connection only reads")
    return str(statements[0].query)


class Syntax:
    """The syntax tree of one SELECT; of one that has none (DuckDB does not tell that of all) nothing is known."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, sql: str) -> None:
        self._sql = sql
        self._nodes = list(_nodes(_tree(connection, sql)))

    def columns_used(self, tables: Collection[str]) -> list[str] | None:
        """Return names among which are all of the columns of `tables` that the SELECT may use; None: any column.

        Those are the names in its syntax tree, unless it has something that stands for all columns: a star, a table
        taken as a value, a natural join, a pivot, columns renamed or counted by place, SQL in a string.
        """
        if not self._nodes:
            return None
        as_value = {*tables, *(str(n["alias"]).lower() for n in self._nodes if n.get("type") == "BASE_TABLE")}
        used: set[str] = set()
        for node in self._nodes:
            kinds = {str(node.get(k)) for k in ("class", "type", "ref_type")}
            names = [str(v).lower() for k in ("column_names", "using_columns") for v in node.get(k) or ()]
            if (
                kinds & {"STAR", "POSITIONAL_REFERENCE", "NATURAL", "PIVOT", "SHOW_REF"}
                or (len(names) == 1 and names[0] in as_value)
                or node.get("column_name_alias")
                or str(node.get("function_name", "")).startswith("query")
            ):
                return None
            used.update(names)
        return sorted(used)

    def uses(self, functions: Collection[str]) -> bool:
        """Return whether one of these functions is called; True if the tree is not known."""
        return not self._nodes or any(node.get("function_name") in functions for node in self._nodes)

    @property
    def by_order(self) -> bool:
        """Whether the answer may depend on the order in which rows are read, which several threads do not keep.

        That is beyond the last bits of a sum of floats. A LIMIT takes some of the rows that are alike, DISTINCT ON one.
        """
        return not self._nodes or any(
            node.get("class") == "WINDOW"
            or node.get("function_name") in _BY_ORDER
            or str(node.get("type")).startswith("LIMIT")
            or node.get("distinct_on_targets")
            or node.get("sample")
            for node in self._nodes
        )

    def check_zones(self) -> None:
        """Raise QueryError for a text with a zone that is made a clock's time: DuckDB leaves the zone out."""
        for node in self._nodes:
            kind = node.get("class")
            if kind == "CAST" and _is_clock(node):
                texts = [node["child"]]
            elif kind in ("COMPARISON", "BETWEEN") or (kind == "OPERATOR" and "IN" in str(node.get("type"))):
                sides = [v for v in node.values() if isinstance(v, dict)] + (node.get("children") or [])
                texts = sides if any(map(_is_clock, sides)) else []
            else:
                continue
            for text in (t.get("literal") or {} for t in texts):
                if text.get("kind") == "STRING" and (found := _WITH_ZONE.fullmatch(text["text"])):
                    raise QueryError(
                        f"sql: {text['text']!r} has the zone {found[1]}, and what a clock shows has none; "
                        "write timestamptz instead of timestamp, or compare with time itself"
                    )

    def with_times_of_ns(self) -> str:
        """Return the text with TIMESTAMP, TIMESTAMPTZ and TIME as their types of nanoseconds.

        A literal TIME stays one: DuckDB adds no other to a date.
        """
        text = self._sql.encode()
        found: dict[int, tuple[int, str]] = {}
        for node in self._nodes:
            kind = node if node.get("class") == "TYPE" else node.get("type_expr") or {}
            name = str(kind.get("type_name", "")).upper()
            of_constant = node.get("class") == "CAST" and node["child"].get("class") == "CONSTANT"
            if name not in _OF_NS or kind.get("children") or (name == "TIME" and (of_constant or kind is node)):
                continue
            start, length = kind.get("query_location", -1), kind.get("query_location_length", 0)
            written = " ".join(text[start : start + length].decode(errors="replace").upper().split())
            if written.removesuffix(" WITHOUT TIME ZONE") == name:
                found[start] = length, _OF_NS[name]
        for start, (length, name) in sorted(found.items(), reverse=True):
            text = text[:start] + name.encode() + text[start + length :]
        return text.decode()


def _is_clock(node: dict[str, Any]) -> bool:
    """Return whether an expression is what a clock shows, as far as it says so itself."""
    name = str((node.get("type_expr") or {}).get("type_name", "")).upper()
    return name in ("TIMESTAMP", "DATETIME", "TIMESTAMP_NS") or node.get("function_name") == "timezone"


def _tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    try:
        ((text,),) = connection.execute("select json_serialize_sql(?::varchar)", [sql]).fetchall()
        tree = json.loads(text)
    except (duckdb.Error, ValueError, RecursionError):
        return None  # whatever it is, DuckDB will say when it is run
    return None if tree.get("error") else tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a JSON value."""
    left = [tree]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield value
            left += value.values()
        elif isinstance(value, list):
            left += value
