"""The steps of an archive: from anything that may be there they lead to exactly what is wanted, by no wrong way.

The model is sets of names: what is there, what is wanted.
"""

from dataclasses import replace

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.steps import (
    NO_MANIFEST,
    Commit,
    Lost,
    Note,
    Present,
    Tell,
    Upload,
    Wanted,
    after,
    difference,
    next_step,
    table_of,
)
from plant.history.catalogue import ArchivedFile, Catalogue, File

NAMES = [
    f"{t}/month=2026-11/2026-11-2{d}.{cut}.parquet" for t in ("bars", "trades") for d in range(3) for cut in (1, 2)
]
NAMES.append("replaced/bars/00000000000000000002.2026-11-20.parquet")

names = st.frozensets(st.sampled_from(NAMES))
planned = st.lists(st.sampled_from([*NAMES, "file:///elsewhere/forged.parquet"]), max_size=8)


def file(name: str, kind: type[File] = File) -> File:
    parts = name.split("/")
    table = parts[1] if parts[0] == "replaced" else parts[0]
    return kind(table, name, 1, 10, 0, 1, 1, 0, 0, "2026-11-20", "2026-11-20", 7)


def wanted_of(local: frozenset[str], gone: frozenset[str] = frozenset(), closed: int = 2) -> Wanted:
    files = [file(n) for n in local if not n.startswith("replaced/")]
    replaced = tuple(file(n) for n in local if n.startswith("replaced/"))
    archived = tuple(ArchivedFile(**{s: getattr(file(n), s) for s in File.__slots__}) for n in gone - local)
    catalogue = Catalogue(closed=closed).changed(files=files, replaced=replaced, archived=archived)
    return Wanted.by(catalogue)


def present_of(objects: frozenset[str], tables: list[str], manifest: frozenset[str], noted: frozenset[str]) -> Present:
    found: dict[str, tuple[str, ...]] = {}
    for name in tables:
        table = table_of(file(name)) if name in NAMES else "trades"
        found[table] = (*found.get(table, ()), name)
    there = objects | {n for n in tables if n in NAMES}  # what a table names is in the store
    return Present(dict.fromkeys(there, 10), found, (manifest, 1, frozenset()), noted)


@settings(max_examples=examples(100), deadline=None)
@given(names, names, planned, names, names, st.integers(0, 40))
def test_from_whatever_is_there_the_steps_lead_to_what_is_wanted(
    local: frozenset[str], objects: frozenset[str], tables: list[str], manifest: frozenset[str], noted: frozenset[str],
    forgets: int,
) -> None:  # fmt: skip
    """After any number of steps, `forgets`, the archive may be killed and looks again: it goes on as it would."""
    wanted, present = wanted_of(local), present_of(objects, tables, manifest, noted)
    commits, steps = [], 0
    while (step := next_step(wanted, present)) is not None:
        assert not isinstance(step, Lost)
        if isinstance(step, Commit):
            commits.append(step.table)
            assert set(wanted.files) <= present.objects.keys()  # nothing is named before it is there
            of_table = set(present.planned.get(step.table, ()))
            assert (of_table | step.add) - step.drop == wanted.tables.get(step.table, set())
        if isinstance(step, Note):
            assert present.manifest == (frozenset(wanted.files), wanted.closed, frozenset())
        present = after(present, step, wanted, 10)
        steps += 1
        if steps == forgets:
            present = replace(present)
    assert {n for files in present.planned.values() for n in files} == set(wanted.files)
    assert sum(map(len, present.planned.values())) == len(wanted.files)  # no file twice
    assert present.manifest[0] == present.noted == set(wanted.files)
    assert len(commits) == len(set(commits))  # one snapshot of a table


@settings(max_examples=examples(100), deadline=None)
@given(names, names)
def test_what_only_the_archive_has_stays_and_is_asked_for_if_it_is_lost(
    local: frozenset[str], gone: frozenset[str]
) -> None:
    wanted = wanted_of(local, gone)
    assert set(wanted.files) == local | gone
    step = next_step(wanted, Present({}, {}, NO_MANIFEST, frozenset()))
    assert isinstance(step, Upload | Lost | Tell)
    there = Present(dict.fromkeys(local, 1), {}, NO_MANIFEST, frozenset())
    lost = [n for n in wanted.files if n not in local]
    assert (next_step(wanted, there) == Lost(lost[0])) if lost else not isinstance(next_step(wanted, there), Lost)


def test_a_file_that_is_there_twice_is_put_there_once_in_one_snapshot_with_all_else() -> None:
    assert difference("trades", {"a", "b"}, ("a", "a", "c")) == Commit(
        "trades", frozenset("b"), frozenset("c"), frozenset("a")
    )
    assert difference("trades", {"a"}, ("a",)) is None
