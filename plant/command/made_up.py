"""Whether made-up rows lie beside real ones: `plant status` says so."""

from plant.errors import PlantError
from plant.rows.tables import SIMULATED
from plant.rows.tables_candles import BUILT
from plant.runtime.settings import Settings

HELD_S = 2.0
"""Longest history and today may take to say whether a table has real rows."""


def beside_real(settings: Settings) -> str:
    """Return which real rows lie beside those that a simulated feed of this plant makes, as a sentence; "" for none."""
    feeds = [f.label for f in settings.feeds if f.kind == SIMULATED]
    if not feeds:
        return ""
    from plant.client.plant_connection import PlantConnection
    from plant.transfer.replaying import NEVER, OF_THE_PLANT

    schema = settings.table_schema
    rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
    real = [("source", "!=", made_up) for made_up in (SIMULATED, BUILT + SIMULATED)]
    found = []
    with PlantConnection(rdb, hdb, schema, frames="arrow", timeout_s=HELD_S, partial=True) as db:
        fed = (t for t in schema.values() if t.name not in OF_THE_PLANT and t.name not in NEVER)
        for name in (t.name for t in fed if "source" in t.names):
            try:
                rows = db.select(name, columns=["source"], where=real, last=1)
            except PlantError as error:
                return f"whether this plant holds real rows beside those of feed {feeds[0]} is not known: {error}"
            found += [f"{name} of {source or 'no source'}" for source in rows.column("source").to_pylist()]
    if not found:
        return ""
    return (
        f"feed {feeds[0]} makes up rows, and this plant holds real ones ({', '.join(found)}): both are in one journal "
        "and one history; give one of them a plant of its own, or ask with where=["
        + ", ".join(f'("source", "!=", "{made_up}")' for _, _, made_up in real)
        + "]"
    )
