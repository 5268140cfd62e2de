"""Times of ns are computed with as DuckDB does with those of microseconds, and what follows a microsecond counts."""

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from chance import SEED

from plant.sql import times
from plant.sql.worker import Database

DAY = 86_400 * 10**9
WIDTHS = ["1 minute", "7 seconds", "1 day", "1 week", "13 hours", "10 milliseconds", "1 month", "7 months", "1 year"]
INTERVALS = ["1 minute", "1 month", "13 months", "-1 month", "3 days 4 hours", "1 year 2 days -3 seconds", "-40 days"]
PARTS = ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade"]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A table `t`: times `a` and `b` in ns, the same cut to microseconds, `c` and `d`; any, of today, midnights."""
    chance = np.random.default_rng(SEED)
    some = [
        chance.integers(-4 * 10**18, 5 * 10**18, 1000),
        chance.integers(17 * 10**17, 18 * 10**17, 1000),
        chance.integers(-20_000, 40_000, 1000) * DAY + chance.integers(-2, 3, 1000),
    ]
    ns = np.concatenate(some)
    opened = Database().connection
    stamps = {"a": ns, "b": chance.permutation(ns)}
    table = {name: pa.array(values, pa.timestamp("ns", "UTC")) for name, values in stamps.items()}
    table |= {to: pa.array(stamps[name] // 1000, pa.timestamp("us")) for name, to in (("a", "c"), ("b", "d"))}
    opened.register("t", pa.table(table))
    yield opened
    opened.close()


def differ(connection: duckdb.DuckDBPyConnection, ours: str, theirs: str) -> int:
    """Return for how many rows two expressions differ; $a and $b of ours are instants, then what a clock shows."""
    found = 0
    for kind in ("timestamptz_ns", "timestamp_ns"):
        expression = ours.replace("$a", f"a::{kind}").replace("$b", f"b::{kind}")
        text = f"select count(*) from t where ({expression})::varchar is distinct from ({theirs})::varchar"
        ((count,),) = connection.execute(text).fetchall()
        found += count
    return found


def test_a_field_is_that_of_the_microsecond(connection: duckdb.DuckDBPyConnection) -> None:
    names = [*times.FIELDS, "weekofyear", "weekday", "dayofmonth", "dayname", "monthname", "last_day"]
    names.remove("epoch_ms")  # DuckDB rounds it up
    for name in names:
        assert not differ(connection, f"{name}($a)", f"{name}(c)"), name
    for part in times.PARTS:
        assert not differ(connection, f"date_part('{part}', $a)", f"date_part('{part}', c)"), part


@pytest.mark.parametrize("part", PARTS)
def test_a_beginning_is_that_of_the_microsecond(connection: duckdb.DuckDBPyConnection, part: str) -> None:
    assert not differ(connection, f"epoch_us(date_trunc('{part}', $a))", f"epoch_us(date_trunc('{part}', c))")
    assert not differ(connection, f"date_diff('{part}', $a, $b)", f"date_diff('{part}', c, d)")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_bucket_is_that_of_the_microsecond(connection: duckdb.DuckDBPyConnection, width: str) -> None:
    bucket = f"time_bucket(interval '{width}', "
    assert not differ(connection, f"epoch_us({bucket}$a))", f"epoch_us({bucket}c))")
    offset = "interval '37 seconds'"
    assert not differ(connection, f"epoch_us({bucket}$a, {offset}))", f"epoch_us({bucket}c, {offset}))")
    origin = "2011-05-17 03:04:05"
    ours = f"epoch_us({bucket}$a, if(true, '{origin}', $a::varchar)::timestamp_ns))"
    if "month" not in width and "year" not in width:
        text = ours.replace("$a::varchar", "null").replace("$a", "a::timestamp_ns")
        theirs = f"epoch_us({bucket}c, timestamp '{origin}'))"
        ((count,),) = connection.execute(f"select count(*) from t where {text} <> {theirs}").fetchall()
        assert not count


@pytest.mark.parametrize("interval", INTERVALS)
def test_a_time_is_shifted_as_that_of_the_microsecond(connection: duckdb.DuckDBPyConnection, interval: str) -> None:
    for sign in "+-":
        shift = f"{sign} interval '{interval}'"
        assert not differ(connection, f"epoch_us($a {shift})", f"epoch_us(c {shift})")
        beyond = f"(epoch_ns($a {shift}) % 1000 + 1000) % 1000"
        assert not differ(connection, beyond, "(epoch_ns(a) % 1000 + 1000) % 1000")
    assert not differ(connection, f"epoch_us(interval '{interval}' + $a)", f"epoch_us(interval '{interval}' + c)")


def test_what_follows_a_microsecond_does_not_bring_the_next_minute(connection: duckdb.DuckDBPyConnection) -> None:
    late = "timestamp_ns '2026-11-20 14:29:59.999999999'"
    asked = f"select date_trunc('minute', {late}), time_bucket(interval '1 minute', {late}), minute({late})"
    ((start, bucket, minute),) = connection.execute(asked).fetchall()
    assert (str(start), str(bucket), minute) == ("2026-11-20 14:29:00", "2026-11-20 14:29:00", 29)
    ((hours,),) = connection.execute(f"select ({late} + interval '1 hour')::varchar").fetchall()
    assert hours == "2026-11-20 15:29:59.999999999"


def test_two_times_give_an_interval_only_if_it_holds_their_distance(connection: duckdb.DuckDBPyConnection) -> None:
    at = np.array([5 * DAY + 3000, 7])
    found = times.interval_between(np.array([2 * DAY, DAY + 7]), at)
    assert found.tolist() == [(0, 3, 3000), (0, -1, 0)]
    with pytest.raises(Exception, match="two times are 1 ns apart, and an INTERVAL of SQL holds microseconds"):
        times.interval_between(at, at + 1)
    with pytest.raises(Exception, match="more than 292 years apart"):
        times.interval_between(np.array([-(2**62)]), np.array([2**62 + 2**61]))


def test_a_null_is_a_null(connection: duckdb.DuckDBPyConnection) -> None:
    values = "(values (null::timestamp_ns), (timestamp_ns '2026-11-20 14:29:59')) v(x)"
    asked = f"select x + interval '1 day', hour(x), dayname(x), date_trunc('day', x) from {values}"
    first, second = connection.execute(asked).fetchall()
    assert set(first) == {None}
    assert None not in second


def test_parts_may_differ_from_row_to_row(connection: duckdb.DuckDBPyConnection) -> None:
    parts = "(values ('day'), ('hour'), ('day')) v(p)"
    text = f"select date_trunc(p, timestamp_ns '2026-11-20 14:29:59')::varchar x from {parts}"
    assert [x for (x,) in connection.execute(text).fetchall()] == [
        "2026-11-20 00:00:00",
        "2026-11-20 14:00:00",
        "2026-11-20 00:00:00",
    ]
