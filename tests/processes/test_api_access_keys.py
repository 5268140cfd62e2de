"""Keys are checked once and remembered, until a row of api_keys comes; one that is none takes as long as another."""

import statistics
import time
from typing import Any

import pytest
from argon2 import PasswordHasher
from state_rows import journaled

from api.access.keys import KeyRing, MadeKey, id_in, make_key
from plant.state.keys import may

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Counting(PasswordHasher):
    """A hasher that counts how often it was asked."""

    count = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.count += 1
        return super().verify(hash, password)


@pytest.fixture
def hasher() -> Counting:
    return Counting(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def ring(hasher: Counting) -> KeyRing:
    return KeyRing(hasher)


def give(ring: KeyRing, made: MadeKey, seq: int = 1, **more: Any) -> None:
    row = {"sym": made.id, "version": 1, "action": "create", "role": "read", "hash": made.hash, "name": "desk"}
    ring.take(journaled("api_keys", [{**row, "seq": seq, **more}]))


def test_a_key_is_checked_once_until_a_row_comes(ring: KeyRing, hasher: Counting) -> None:
    made = make_key(QUICK)
    give(ring, made)
    assert ring.remembered(made.key) is None
    row = ring.verify(made.key)
    assert row is not None
    assert row["sym"] == made.id
    count = hasher.count
    for _ in range(10):
        assert ring.remembered(made.key) is not None
    assert hasher.count == count
    give(ring, make_key(QUICK), 2)
    assert ring.remembered(made.key) is None, "any row of api_keys ends what was remembered"


def test_a_revoked_or_expired_key_is_none(ring: KeyRing) -> None:
    made, short = make_key(QUICK), make_key(QUICK)
    give(ring, made)
    give(ring, short, 2, expires=time.time_ns() + 300_000_000)
    assert ring.verify(short.key) is not None
    assert ring.remembered(short.key) is not None
    assert ring.verify(made.key) is not None
    give(ring, made, 3, version=2, action="revoke")
    assert ring.verify(made.key) is None
    time.sleep(0.31)
    assert ring.remembered(short.key) is None, "also one that is remembered ends when it expires"
    assert ring.verify(short.key) is None


def test_what_is_remembered_is_not_the_key(ring: KeyRing) -> None:
    made = make_key(QUICK)
    give(ring, made)
    ring.verify(made.key)
    secret = made.key[-43:]
    assert secret not in repr(vars(ring))
    assert secret not in made.hash


def test_a_key_has_the_form_that_is_promised() -> None:
    made = make_key(QUICK)
    assert made.key == f"tp_{made.id}_{made.key[-43:]}"
    assert id_in(made.key) == made.id
    for wrong in ("", made.key + "x", made.key[:-1], f"tp_{made.id}", "tp__" + "x" * 43, f"{made.key} "):
        assert id_in(wrong) == ""


def test_a_key_that_is_none_takes_as_long_whatever_is_wrong_with_it() -> None:
    """With the hasher of real keys: what it takes would tell whether there is an id."""
    made, ring = make_key(), KeyRing()
    give(ring, made)

    def seconds(key: str) -> float:
        began = time.process_time()
        assert ring.verify(key) is None
        return time.process_time() - began

    wrong = made.key[:-1] + ("A" if made.key[-1] != "A" else "B")
    taken = {key: statistics.median(seconds(key) for _ in range(3)) for key in (wrong, f"tp_0_{'x' * 43}", "nonsense")}
    assert max(taken.values()) < 3 * min(taken.values()), taken


def test_roles_contain_each_other() -> None:
    assert [[may(role, needed) for needed in ("read", "trade", "admin")] for role in ("read", "trade", "admin")] == [
        [True, False, False], [True, True, False], [True, True, True],
    ]  # fmt: skip
