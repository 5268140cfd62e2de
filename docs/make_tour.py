"""Write docs/tour.ipynb: run its cells against a small plant of its own, and keep what they answer.

python docs/make_tour.py
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
TOUR = ROOT / "docs/tour.ipynb"

SECTIONS = (
    (
        """# A tour of the plant

From a shell or a notebook, on a plant with a few trades, quotes and bars of two symbols. Every cell runs in the tests.
More questions, and their equivalents in q, pandas and SQL, are in [queries.md](queries.md).""",
        """import plant
import rdb

db = rdb.connect()
db.tables().head(3)""",
    ),
    (
        "A table is an attribute of the connection; TAB completes it, and its symbols: `db.trades[<TAB>`.",
        'db.trades.tail(3)[["time", "sym", "price", "size"]]',
    ),
    (
        "Rows of a symbol, of a range of time, under conditions, with the columns you want.",
        'db.select("trades", "AAPL", start="2026-11-20 14:30:10", where=("size", ">=", 50), columns=["time", "price"])',
    ),
    (
        "The newest row of each symbol; also as it was at a time.",
        'db.last("trades", at="2026-11-20 14:31", columns=["time", "sym", "price"])',
    ),
    (
        "Bars of any interval (q: `xbar`), and each trade with the quote in force (`aj`).",
        'db.resample("trades", "5m", "AAPL")[["time", "open", "high", "low", "close", "volume", "vwap"]]',
        'db.asof("trades", "quotes", "AAPL")[["time", "price", "bid", "ask"]]',
    ),
    (
        "What happened around each trade (`wj`).",
        'db.window("trades", "quotes", "-60s", "0s", {"top": ("max", "bid")}, "MSFT")[["time", "price", "top"]]',
    ),
    (
        "DuckDB's SQL, which only reads.",
        'db.sql("select sym, count(*) n, sum(price * size) / sum(size) vwap from trades group by sym order by sym")',
    ),
    (
        "Answers as Polars, Arrow, numpy, or Arrow-backed pandas.",
        'db.select("bars", "MSFT", columns=["sym", "close"], last=3, frames="polars")',
    ),
    (
        "Errors say what is there.",
        """try:
    db.select("trades", columns=["prize"])
except plant.PlantError as error:
    print(error)""",
    ),
    (
        "Publish rows of your own: acknowledged once they are in the journal, sent again when in doubt, never doubled.",
        """with plant.publisher("tour") as feed:
    for price in (1.0, 2.0):
        row = {"time": "2026-11-20 14:31", "sym": "TOUR", "interval": "1m", "signal": "seen", "price": price}
        feed.publish("signals", row)
    in_journal = feed.flush()
in_journal > 0""",
    ),
    (
        "Watch a table: first its present rows, then what comes. The second row replaced the first: it has its key.",
        """with db.watch("signals", "TOUR", columns=["sym", "price"]) as frames:
    seen = next(frames)
    while seen["price"].tolist()[-1:] != [2.0]:
        seen = next(frames)
seen.tail(1)""",
    ),
    (
        "Under asyncio, questions are awaited and do not wait for each other.",
        """import asyncio

async with await plant.connect_async(frames="numpy") as asked:
    counts = await asyncio.gather(*(asked.count("trades", sym) for sym in ("AAPL", "MSFT")))
counts""",
    ),
)
"""Of each: what it shows, in words, and the cells of code."""


def notebook() -> Any:
    """Return the notebook, not run yet."""
    made = nbformat.v4.new_notebook()
    for words, *code in SECTIONS:
        made.cells += [nbformat.v4.new_markdown_cell(words), *map(nbformat.v4.new_code_cell, code)]
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"  # else made by chance, and another each time
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def run(made: Any) -> Any:
    """Run the cells of a notebook in the repository's folder, on the plant of PLANT_CONFIG, and return it."""
    client = NotebookClient(made, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}})
    client.record_timing = False
    client.execute()
    made.metadata.pop("language_info", None)
    return made


def main() -> None:
    """Write the notebook."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import small_market

    with tempfile.TemporaryDirectory() as folder:
        plant = small_market.start(Path(folder) / "plant")
        try:
            os.environ["PLANT_CONFIG"] = str(plant.config)
            nbformat.write(run(notebook()), TOUR)
        finally:
            plant.stop()


if __name__ == "__main__":
    main()
