"""Keys by their rows: the newest of an id counts, and what was revoked stays revoked, in whatever order rows come."""

import itertools
import random
from typing import Any

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import journaled, numbered

from plant.state.keys import Keys

law = settings(max_examples=examples(100), deadline=None, derandomize=True, database=None)


def row(name: str, action: str, secret: str = "a") -> dict[str, Any]:
    return {"sym": name, "version": 1, "action": action, "role": "read", "hash": secret, "name": "desk"}


def test_a_revoked_key_that_is_made_once_more_stays_revoked() -> None:
    rows = numbered([row("k", "create", "a"), row("k", "revoke", "a"), row("k", "create", "b")], [1, 2, 3])
    for order in itertools.permutations(rows):
        for cut in range(3):
            keys = Keys()
            for part in (order[:cut], order[cut:]):
                keys.take(journaled("api_keys", list(part)))
            assert keys.is_revoked("k")
            assert keys.usable("k", 0) is None
            assert keys["k"]["seq"] == 2


@law
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["create", "create", "revoke"])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_keys_are_those_of_the_model(given: list[tuple[str, str]], chance: random.Random) -> None:
    rows = numbered([row(name, action, str(i)) for i, (name, action) in enumerate(given)], [*range(1, len(given) + 1)])
    expected: dict[str, dict[str, Any]] = {}
    for each in rows:
        before = expected.get(each["sym"])
        if before is None or before["action"] != "revoke" or each["action"] == "revoke":
            expected[each["sym"]] = each
    chance.shuffle(rows)
    keys, at = Keys(), 0
    while at < len(rows):
        more = chance.randrange(1, len(rows) + 1)
        keys.take(journaled("api_keys", rows[at : at + more]))
        at += more
    assert {name: found["seq"] for name, found in keys.items()} == {name: e["seq"] for name, e in expected.items()}
    assert {name for name in keys if keys.usable(name, 0)} == {
        n for n, e in expected.items() if e["action"] == "create"
    }
