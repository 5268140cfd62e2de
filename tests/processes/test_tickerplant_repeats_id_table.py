"""The table of ids is a dict that keeps what was there first."""

import numpy as np
from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tickerplant.repeats.id_table import FULL, IdTable

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)
KEYS = st.one_of(st.integers(1, 40), st.integers(1, 2**64 - 1), st.sampled_from([4096, 8192, 2**63, 2**64 - 1]))


def arrays(found: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(found), dtype=np.uint64), np.array(list(found.values()), dtype=np.uint32)


@law
@given(
    st.lists(st.dictionaries(KEYS, st.integers(0, 2**32 - 1), max_size=60), max_size=8), st.sampled_from([2, 16, 4096])
)
def test_it_holds_what_a_dict_holds(batches: list[dict[int, int]], slots: int) -> None:
    table, model = IdTable(slots), dict[int, int]()
    for batch in batches:
        keys, beside = arrays(batch)
        known, before = table.find(keys)
        assert dict(zip(keys.tolist(), known.tolist(), strict=True)) == {key: key in model for key in batch}
        assert before[known].tolist() == [model[key] for key in batch if key in model]
        table.add(keys, beside)
        model = batch | model
    assert len(table) == len(model)
    assert {key: table.get(key) for key in model} == model
    assert table.get(12345678901) == model.get(12345678901)


def test_it_grows_to_what_it_holds_and_no_key_costs_more_than_forty_bytes() -> None:
    table, rng = IdTable(16), np.random.default_rng(5)
    for _ in range(100):
        keys = rng.integers(1, 2**64, 1000, dtype=np.uint64)
        table.add(keys, (keys & np.uint64(0xFFFF)).astype(np.uint32))
    assert len(table) == 100_000
    assert 12 / FULL <= table.nbytes / len(table) <= 2 * 12 / FULL
    known, beside = table.find(keys)
    assert known.all()
    assert beside.tolist() == (keys & np.uint64(0xFFFF)).tolist()


def test_the_key_0_is_a_key() -> None:
    table = IdTable()
    table.add(np.zeros(1, dtype=np.uint64), np.array([7], dtype=np.uint32))
    assert table.get(0) == 7
    assert [part.tolist() for part in table.find(np.zeros(30, dtype=np.uint64))] == [[True] * 30, [7] * 30]
