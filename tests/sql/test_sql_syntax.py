"""What a SELECT's syntax tree tells: here, whether the order in which rows are read may show in its answer."""

import duckdb
import pytest

from plant.sql.functions import PYTHONS
from plant.sql.syntax import Syntax


@pytest.mark.parametrize(
    ("text", "by_order"),
    [
        ("select * from trades where sym = 'A' order by time", False),
        ("select sym, count(*), sum(size), min(price), avg(price) from trades group by sym", False),
        ("select time_bucket(interval '5 minutes', time) t, max(price) from trades group by t", False),
        ("select sym, first(price) from trades group by sym", True),
        ("select sym, last(price order by time) from trades group by sym", True),
        ("select sym, arg_max(price, time) from trades group by sym", True),
        ("select * from (select sym, LIST(price) from trades group by sym)", True),
        ("select string_agg(sym, ',') from trades", True),
        ("select row_number() over (partition by sym order by time) from trades", True),
        ("select sum(size) over () from trades", True),
        ("select * from (show tables)", False),
        ("select distinct sym from trades", False),
        ("select distinct on (sym) sym, price from trades order by sym", True),
        ("select sym, price from trades order by price limit 3", True),
        ("select sum(size) from trades using sample 10 percent", True),
        ("select json_group_array(price) from trades", True),
    ],
)
def test_an_answer_that_depends_on_the_order_of_rows_is_known(text: str, by_order: bool) -> None:
    with duckdb.connect() as connection:
        assert Syntax(connection, text).by_order is by_order


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("select time_bucket(interval '5 minutes', time) t, max(price) from trades group by t", True),
        ("select sum(x) from (select date_trunc('hour', time) h, price x from trades)", True),
        ("select price + size, time - interval '1 hour' from trades", False),
        ("select count(*) from trades", False),
    ],
)
def test_a_function_that_python_computes_is_known(text: str, used: bool) -> None:
    with duckdb.connect() as connection:
        assert Syntax(connection, text).uses(PYTHONS) is used
