"""A checkpoint is read as it was written, or refused: torn, damaged anywhere, of other settings or another version."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chance import SEED

from plant.stream.stream import Mark
from processor.checkpoints import store as module
from processor.checkpoints.store import Checkpoint, Store, Unusable

KIND = np.dtype([("slot", "<i8"), ("row", "<f8", 5), ("changed", "?")])


def checkpoint() -> Checkpoint:
    """Return one with everything that a state may have."""
    rows = np.zeros(3, dtype=KIND)
    rows["row"] = np.arange(15.0).reshape(3, 5)
    rows["row"][1, 2] = np.nan
    part = {"rows": rows, "names": ["A", "Ö"], "old": {(1, -(2**63)): None}, "late": [(1, 2, [0.1, float("inf")])]}
    state = {"engine": {"sma/20": np.zeros((0, 4)), "deep": {"flags": np.array([True, False])}}, "builder": part}
    return Checkpoint("settings", Mark(7, 5, 3), {"bars": 7}, state)


def told(value: Any) -> Any:
    """Return a state as plain values that can be compared; sequences of any kind are tuples."""
    if isinstance(value, dict):
        return {key: told(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return tuple(told(each) for each in value)
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def test_a_checkpoint_is_read_as_it_was_written_and_the_newest_counts(tmp_path: Path) -> None:
    store = Store(tmp_path / "processor")
    with pytest.raises(Unusable, match="there is no checkpoint"):
        store.read("settings")
    store.write(checkpoint()._replace(mark=Mark(1)))
    assert store.write(checkpoint()) == store.path.stat().st_size
    found = store.read("settings")
    assert told(found) == told(checkpoint())
    found.state["builder"]["rows"]["slot"][0] = 1  # it goes on from there
    assert [path.name for path in store.path.parent.iterdir()] == [store.path.name]


def test_one_of_other_settings_or_of_another_version_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    store = Store(tmp_path)
    store.write(checkpoint())
    with pytest.raises(Unusable, match="of other settings"):
        store.read("others")
    monkeypatch.setattr(module, "FORMAT", 2)
    with pytest.raises(Unusable, match="has the format 1, expected 2"):
        store.read("settings")


def test_one_that_is_damaged_anywhere_is_refused_or_has_the_same_state(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    store, chance, wanted = Store(tmp_path), np.random.default_rng(SEED), told(checkpoint())
    store.write(checkpoint())
    good = store.path.read_bytes()
    refused = 0
    for at in chance.choice(len(good), 150, replace=False).tolist():
        for damaged in (good[:at], good[:at] + bytes([good[at] ^ (1 << int(chance.integers(8)))]) + good[at + 1 :]):
            store.path.write_bytes(damaged)
            try:
                found = store.read("settings")
            except Unusable:
                refused += 1
            else:
                assert told(found) == wanted, at
    assert refused > 250


def test_a_crash_while_one_is_written_leaves_the_old_one(tmp_path: Path, monkeypatch: Any) -> None:
    store = Store(tmp_path)
    store.write(checkpoint())

    def crash(file: Any, **_: Any) -> None:
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(module.np, "savez", crash)
    with pytest.raises(OSError, match="no space"):
        store.write(checkpoint()._replace(mark=Mark(9)))
    assert store.read("settings").mark == Mark(7, 5, 3)
    assert len([*tmp_path.iterdir()]) == 2
    store.clear()
    assert [path.name for path in tmp_path.iterdir()] == [store.path.name]


def test_what_is_neither_array_nor_plain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="arrays and plain values"):
        Store(tmp_path).write(checkpoint()._replace(state={"x": object()}))
