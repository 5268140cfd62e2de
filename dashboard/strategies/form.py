"""The form of a strategy: what it is and what it trades, made of the classes that the trader tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.desk import fields
from dashboard.desk.desk import Desk
from dashboard.desk.frame import is_live
from dashboard.strategies.listing import parameters_of, symbols_of
from dashboard.views import plain
from plant.errors import BadRows
from plant.state.newest import Row
from plant.state.schemas import LIMITS

CONDITIONS = "Conditions"
"""The class whose strategies are JSON documents."""

DEFINITION = "definition"


@dataclass(frozen=True)
class Filled:
    """What stands in the form: columns of `strategies`; `wrong` says why they cannot be written yet, "" if they can."""

    columns: dict[str, Any] = field(default_factory=dict)
    wrong: str = ""


def what_it_is(
    classes: Sequence[Mapping[str, Any]],
    known: Sequence[str],
    intervals: Sequence[str],
    key: str,
    row: Row | None = None,
) -> Filled:
    """Draw class, parameters, symbols and interval; `row` stands there at first. Return them.

    known, intervals   symbols and intervals to choose from; others may be typed
    """
    usable = [each for each in classes if not each["error"]]
    for each in classes:
        if each["error"]:
            st.caption(f":orange[:material/warning:] {plain(each['name'])} cannot be used: {plain(each['error'])}")
    names = [each["name"] for each in usable]
    before = row["class_name"] if row is not None else ""
    if not names:
        return Filled(wrong="there is no class of strategies that can be used")
    class_name = st.selectbox(
        "Class",
        names,
        names.index(before) if before in names else 0,
        key=f"{key}-class",
        width=360,
        help="What it does; your own lie in the folder strategies beside plant.toml.",
    )
    chosen = usable[names.index(class_name)]
    if chosen["doc"]:
        st.caption(plain(chosen["doc"].partition("\n\n")[0]))
    own = parameters_of(row) if row is not None and class_name == before else {}
    schema = chosen["parameters"]
    document: Any = ""
    wrong = ""
    if class_name == CONDITIONS:
        text = row["definition"] if row is not None and class_name == before else ""
        written = st.text_area(
            "Definition (JSON)",
            text,
            height=220,
            key=f"{key}-definition",
            help="See docs/signals.md and docs/trading.md.",
        )
        document, wrong = _document(written)
        schema = {**schema, "properties": {n: p for n, p in schema.get("properties", {}).items() if n != DEFINITION}}
    parameters = fields.drawn(fields.fields_of(schema, own), f"{key}-{class_name}")
    if LIMITS in own:
        parameters[LIMITS] = own[LIMITS]
    symbols, interval = what_it_trades(known, intervals, key, row)
    if isinstance(document, dict):
        symbols = symbols or list(document.get("sym") or [])
        interval = interval or str(document.get("interval") or "")
    if not wrong and not symbols:
        wrong = "name at least one symbol"
    if not wrong and not interval:
        wrong = "name the interval of its bars, e.g. 1m"
    columns = {"class_name": class_name, "parameters": parameters, "symbols": symbols, "interval": interval}
    return Filled({**columns, DEFINITION: document or ""}, wrong)


def what_it_trades(
    known: Sequence[str], intervals: Sequence[str], key: str, row: Row | None = None
) -> tuple[list[str], str]:
    """Draw symbols and interval, and return them."""
    own = symbols_of(row) if row is not None else []
    mine = row["interval"] if row is not None else ""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        symbols = st.multiselect(
            "Symbols",
            list(dict.fromkeys([*own, *known])),
            own,
            accept_new_options=True,
            key=f"{key}-symbols",
            placeholder="AAPL",
            width=360,
        )
        there = list(dict.fromkeys([*([mine] if mine else []), *intervals]))
        interval = st.selectbox(
            "Interval",
            there,
            0 if there else None,
            accept_new_options=True,
            key=f"{key}-interval",
            placeholder="1m",
            width=130,
            help="Length of the bars it is given.",
        )
    return [each.strip() for each in symbols if each.strip()], (interval or "").strip()


def where_it_trades(desk: Desk, key: str, row: Row | None = None) -> tuple[str, str]:
    """Draw account and mode, and return them."""
    names = [each.name for each in desk.accounts]
    before = row["account"] if row is not None else ""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        account = st.selectbox(
            "Account", names, names.index(before) if before in names else 0, key=f"{key}-account", width=170
        )
        live = [each.name for each in desk.accounts if is_live(each)]
        modes = ["paper", "live"] if account in live else ["paper"]
        mode = st.segmented_control(
            "Mode",
            modes,
            default=row["mode"] if row is not None and row["mode"] in modes else "paper",
            format_func=lambda mode: "REAL MONEY" if mode == "live" else "PAPER",
            required=True,
            key=f"{key}-mode-{'-'.join(modes)}",
            help="Real money needs an account whose mode is live, [trading] live = true, and limits that are set.",
        )
    return account, mode or "paper"


def _document(text: str) -> tuple[Any, str]:
    """Return what a JSON document says, and what is wrong with it."""
    if not text.strip():
        return "", "write its definition: a JSON document"
    try:
        found = json.loads(text)
    except ValueError as error:
        return "", f"the definition is no JSON: {error}"
    return (found, "") if isinstance(found, dict) else ("", "the definition must be a JSON object, {...}")


def checked_name(name: str, taken: Mapping[str, Any]) -> str:
    """Return a new strategy's name. Raises BadRows with a sentence."""
    name = name.strip()
    if not name:
        raise BadRows("give it a name")
    if name in taken:
        raise BadRows(f"there is a strategy {name!r} already; open it to change it")
    return name
