"""Which annotations the page shows: kinds, what is over, the address; and what is drawn on it, written."""

import json
from typing import Any

from dashboard_market import OPEN_NS, Market
from state_rows import through_the_plant
from streamlit.testing.v1 import AppTest

from dashboard.annotations.kept import Noted
from dashboard.annotations.shown import KINDS
from dashboard.connections import Connections
from plant.errors import PlantError, Unavailable
from plant.state.annotations import AUTO, Annotations
from plant.state.newest import Row


class Noting:
    """Annotations of AAPL that were told here."""

    def __init__(self, *rows: Row) -> None:
        self.rows = [{**row, "seq": n, "seq_row": 0} for n, row in enumerate(rows)]
        self.error: PlantError | None = None

    def look(self, sym: str, fresh: bool = False) -> Noted:
        return Noted(tuple(row for row in self.rows if row["sym"] == sym), self.error)


def row(name: str, **columns: Any) -> Row:
    told = {"sym": "AAPL", "kind": "level", "price": 240.0, "start_at": OPEN_NS, "source": AUTO, **columns}
    source = told.pop("source")
    return through_the_plant("annotations", Annotations().changed(name, "create", source, OPEN_NS, **told))


ROWS = (
    row("level", type="prev_day_high"),
    row("zone", kind="zone", top=241.0, bottom=240.0, price=float("nan"), type="day_zone"),
    row("broken", state="broken"),
    row("other", sym="TSLA"),
)


def page(connections: Connections, **query: str) -> AppTest:
    def script(connections):  # type: ignore[no-untyped-def]
        from dashboard.app import main

        main(connections)

    at = AppTest.from_function(script, args=(connections,), default_timeout=100)
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def chart(at: AppTest) -> dict[str, Any]:
    """Return the message of the chart."""
    assert not at.exception
    found = [element.proto for element in at.get("bidi_component")]
    (proto,) = [proto for proto in found if proto.component_name == "tickplant.chart"]
    message: dict[str, Any] = json.loads(proto.json)
    return message


def test_kinds_are_switched_off_and_what_is_over_is_switched_on() -> None:
    noting: Any = Noting(*ROWS)
    at = page(Market().connections(annotations=noting))
    message = chart(at)
    assert set(message["whole"]["marks"]) == {"level", "zone"}
    assert message["whole"]["address"]["annotations"] is None
    assert message["draws"] is False, "without a plant to write to there is nothing to draw with"
    at.get_by_key("annotation_kinds").set_value([name for name in KINDS if name != "zone"]).run()
    at.toggle(key="annotations_ended").set_value(True).run()
    now = chart(at)["whole"]
    assert {name: mark["dim"] for name, mark in now["marks"].items()} == {"level": False, "broken": True}
    assert now["address"]["annotations"] == "level;line;flag;pivot;marker;text;ended"
    at.selectbox(key="symbol").select("TSLA").run()
    assert set(chart(at)["whole"]["marks"]) == {"other"}


def test_a_new_session_begins_with_what_its_address_shows() -> None:
    noting: Any = Noting(*ROWS)
    at = page(Market().connections(annotations=noting), symbol="AAPL", annotations="zone;ended;nonsense")
    whole = chart(at)["whole"]
    assert set(whole["marks"]) == {"zone"}
    assert whole["address"]["annotations"] == "zone;ended"
    assert at.toggle(key="annotations_ended").value is True


def test_without_annotations_the_page_is_as_it_was_and_says_what_it_lacks() -> None:
    at = page(Market().connections())
    assert chart(at)["whole"]["marks"] == {}
    noting: Any = Noting(*ROWS)
    noting.error = Unavailable("no answer from the rdb")
    told = chart(page(Market().connections(annotations=noting)))
    assert {"level": "warning", "text": "annotations may be old: no answer from the rdb"} in told["notes"]
    assert set(told["whole"]["marks"]) == {"level", "zone"}
