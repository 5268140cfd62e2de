"""What the archive is to hold while some files cannot be archived: all others, and of their days what it had.

A file that is damaged, or was changed where it lies, takes nothing from other tables and days. Of its own day the table
keeps the files that it had of it, until the new one can take their place: no day goes because the next one is bad, and
no row is there twice, since what would lie over a file that is kept waits, too.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_DAYS = re.compile(r"(?:^|\.)(\d{4}-\d\d)(-\d\d)?\.")


@dataclass(frozen=True)
class Meanwhile:
    """Which files of all tables are not as they are wanted.

    held   wanted ones that no table has yet, and that are not added to one
    kept   those that are no longer wanted, and stay
    """

    held: frozenset[str]
    kept: frozenset[str]


def meanwhile(
    wanted: Mapping[str, set[str]], planned: Mapping[str, tuple[str, ...]], refused: Collection[str]
) -> Meanwhile:
    """Return what is held and kept while `refused` cannot be archived.

    wanted    names of the files that each table is to have; `planned`, those it has
    """
    held: set[str] = set()
    kept: set[str] = set()
    for table, names in wanted.items():
        there = set(planned.get(table, ()))
        gone, new = there - names, names - there
        waiting = new & set(refused)
        while waiting:
            held |= waiting
            stay = {name for name in gone if any(_overlap(name, each) for each in waiting)}
            kept |= stay
            waiting = {name for name in new - held if any(_overlap(name, each) for each in stay)}
    return Meanwhile(frozenset(held), frozenset(kept))


def days_of(name: str) -> tuple[str, str] | None:
    """Return the first and the last day that a file of this name may hold; None if it has none of our names.

    >>> days_of("bars/month=2026-11/2026-11-20.7.parquet"), days_of("replaced/bars/0007.2026-11.parquet")
    (('2026-11-20', '2026-11-20'), ('2026-11-01', '2026-11-31'))
    """
    found = _DAYS.search(name.rpartition("/")[2])
    if found is None:
        return None
    return (found[0].strip("."),) * 2 if found[2] else (f"{found[1]}-01", f"{found[1]}-31")


def _overlap(one: str, other: str) -> bool:
    mine, theirs = days_of(one), days_of(other)
    return mine is not None and theirs is not None and mine[0] <= theirs[1] and theirs[0] <= mine[1]
