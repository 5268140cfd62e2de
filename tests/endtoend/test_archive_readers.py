"""Who reads the archive beside the plant answers what the hdb answers: the examples of docs/archive.md, as they stand.

They run in an environment of their own (`make archive-readers`), each in a process, over a real S3 store; in a soak.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from archives import archive
from histories import History
from history_files import HOURS
from plain_rows import NOON, SCHEMA, quote, trade
from seaweed import Seaweed, seaweed

from hdb.reader.answering import HistoryAnswerer
from plant.query import questions

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-archive" / "bin" / "python"
PAGE = (ROOT / "docs" / "archive.md").read_text()
EXAMPLE = "http://127.0.0.1:8333"

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

PRICES = ("time", "sym", "price", "size")

Answers = dict[str, list[tuple[Any, ...]]]


def blocks(heading: str) -> list[str]:
    """Return the Python of a section of the page."""
    section = re.split(r"\n##+ ", PAGE.split(f" {heading}\n", 1)[1])[0]
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[History, Seaweed, Path]]:
    """A history of two days in two months, the first closed twice, archived into a store and into a folder."""
    if not (PYTHON.parent.parent / "installed").exists():
        pytest.skip("no .venv-archive: make archive-readers")
    folder = tmp_path_factory.mktemp("readers")
    history = History(folder / "data")
    day = 0
    with seaweed(folder / "weed") as weed, pytest.MonkeyPatch.context() as patch:
        for name, value in weed.environment.items():
            patch.setenv(name, value)
        weed.bucket("plant")
        for offset, rows in ((0, 300), (11 * 24 * HOURS, 200), (HOURS, 7)):
            day += 1
            begin = NOON + offset
            syms = ("AAPL", "MSFT", "TSLA")
            trades = [trade(begin + i * 7_000_000_123, syms[i % 3], 100 + i % 17 / 4, 1.0 + i % 5) for i in range(rows)]
            quotes = [quote(begin + i * 11_000_000_457, syms[i % 3], 99 + i % 13 / 4) for i in range(rows)]
            history.publish("trades", trades)
            history.publish("quotes", quotes)
            history.part(f"2026-12-0{day}")
            history.close()
            made = archive(history, "s3://plant/history", endpoint=weed.endpoint)
        assert len({f.path for f in history.store.catalogue.days_of("trades")}) == 2
        assert made._store.sizes().keys() > {f.path for f in history.store.catalogue.files}  # an earlier file of a day
        shutil.move(history.data / "archive", folder / "kept")
        archive(history, folder / "folder")
        yield history, weed, folder / "folder"


@pytest.fixture(scope="module")
def answers(plant: tuple[History, Seaweed, Path]) -> Answers:
    """What the hdb answers."""
    hdb = HistoryAnswerer(plant[0].folder, SCHEMA)
    return {
        "rows": rows_of(hdb.answer(questions.Select("trades", sym=("AAPL",), columns=PRICES))),
        "november": rows_of(
            hdb.answer(questions.Select("trades", sym=("AAPL",), columns=PRICES, end=NOON + 5 * 24 * HOURS))
        ),
        "bars": sorted(
            (sym, *rest)
            for _, sym, *rest in rows_of(
                hdb.answer(questions.Resample("trades", "5m")).select(
                    ["time", "sym", "time", "open", "high", "low", "close", "volume"]
                )
            )
        ),
        "asof": rows_of(hdb.answer(questions.Asof("trades", "quotes")).select(["time", "sym", "price", "bid", "ask"])),
        "last": sorted(rows_of(hdb.answer(questions.Last("trades")).select(list(PRICES))), key=lambda row: row[1]),
        "volume": rows_of(
            hdb.answer(questions.Sql("select sym, sum(size) as volume from trades group by sym order by sym"))
        ),
    }


def rows_of(found: pa.Table) -> list[tuple[Any, ...]]:
    columns = [(c.cast(pa.int64()) if pa.types.is_timestamp(c.type) else c).to_pylist() for c in found.columns]
    return [tuple(row) for row in zip(*columns, strict=True)]


def run(plant: tuple[History, Seaweed, Path], code: str, shown: str) -> dict[str, list[tuple[Any, ...]]]:
    """Run examples in their environment, and return what `shown`, an expression, is then."""
    history, weed, _ = plant
    (first,) = blocks("Reading it")[:1]
    code = f"{first}{code}\nimport json as _json\nprint('FOUND ' + _json.dumps({shown}))\n"
    code = code.replace(EXAMPLE, weed.endpoint)
    environment = {**weed.environment, "PATH": "/usr/bin:/bin", "HOME": str(history.data), "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [PYTHON, "-c", code], cwd=history.data.parent, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    return {name: [tuple(row) for row in rows] for name, rows in json.loads(line.removeprefix("FOUND ")).items()}


def test_clickhouse(plant: tuple[History, Seaweed, Path], answers: Answers) -> None:
    named = "{'rows': rows, 'bars': bars, 'last': last, 'asof': asof, 'count': count}"
    shown = f"{{n: [list(r.values()) for r in v.to_pylist()] for n, v in {named}.items()}}"
    found = run(plant, "\n".join(blocks("ClickHouse")), shown)
    assert found["rows"] == answers["november"]
    assert sorted(found["bars"]) == answers["bars"]
    assert found["last"] == answers["last"]
    assert found["asof"] == answers["asof"]
    assert found["count"] == [(507,)]


def test_duckdb(plant: tuple[History, Seaweed, Path], answers: Answers) -> None:
    there = "import duckdb_extensions\nfor e in ('httpfs', 'avro', 'iceberg'): duckdb_extensions.import_extension(e)\n"
    found = run(plant, there + "\n".join(blocks("DuckDB")), "{'rows': rows, 'bars': bars, 'last': last, 'asof': asof}")
    assert found["rows"] == answers["rows"]
    assert sorted(found["bars"]) == answers["bars"]
    assert found["last"] == answers["last"]
    assert found["asof"] == answers["asof"]


def test_polars(plant: tuple[History, Seaweed, Path], answers: Answers) -> None:
    shown = (
        "{'rows': rows.rows(), 'bars': bars.select('sym', 'bar', 'open', 'high', 'low', 'close', 'volume').rows(), "
        "'last': last.rows(), 'asof': asof.rows()}"
    )
    found = run(plant, "\n".join(blocks("Polars")), shown)
    assert found["rows"] == answers["rows"]
    assert sorted(found["bars"]) == answers["bars"]
    assert found["last"] == answers["last"]
    assert found["asof"] == answers["asof"]


def test_dask_and_ray(plant: tuple[History, Seaweed, Path], answers: Answers) -> None:
    """What they ask for comes in no order but that of symbols, of which each is whole."""
    rows = "{}.astype(object).where(lambda f: f.notna(), None).values.tolist()"
    names = ("bars", "last", "asof", "ray_bars", "ray_last", "ray_asof")
    shown = "{'volume': sorted(volume.items()), " + ", ".join(f"'{n}': {rows.format(n)}" for n in names) + "}"
    found = run(plant, "\n".join([*blocks("Polars"), *blocks("Dask and Ray")]), shown)
    assert found["volume"] == answers["volume"]
    for engine in ("", "ray_"):
        assert sorted(found[f"{engine}bars"]) == answers["bars"]
        assert sorted(found[f"{engine}last"], key=lambda row: row[1]) == answers["last"]
        assert sorted(found[f"{engine}asof"], key=repr) == sorted(answers["asof"], key=repr)


def test_spark_over_a_folder(plant: tuple[History, Seaweed, Path], answers: Answers) -> None:
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not here")
    folder = plant[2]
    code = f"import json\nfolder = {str(folder)!r}\nmanifest = json.load(open(folder + '/manifest.json'))\n"
    shown = "{'bars': bars, 'last': last.orderBy('sym').collect(), 'asof': asof.collect()}"
    found = run(plant, code + "\n".join(blocks("Spark")), shown)
    assert sorted(found["bars"]) == answers["bars"]
    assert found["last"] == answers["last"]
    assert found["asof"] == answers["asof"]


def test_time_travel(plant: tuple[History, Seaweed, Path]) -> None:
    """The first day was closed with 300 trades, and once more with seven."""
    code = "\n".join(blocks("As it was at an end of day")).replace("2026-11-20", "2026-12-01")
    code = code.replace("sqlite:///data/archive", f"sqlite:///{plant[0].data.parent}/kept")
    assert run(plant, code, "{'n': [[then.num_rows]]}")["n"] == [(300,)]
