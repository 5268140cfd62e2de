"""What must be said of where rows are from, in words: made up, played back, or late. Pure."""

from collections.abc import Collection, Iterable

from plant.runtime.sections import FeedSection

SIMULATED = "simulated"
PLAYED_BACK = frozenset(("recorded", "replayed"))
"""Kinds of feeds whose rows happened long ago."""

_BUILT = "built:"


def origin_notes(sources: Collection[str], feeds: Iterable[FeedSection]) -> tuple[list[str], str]:
    """Return what must be said of where bars are from, and a word to be written across them, "" for none.

    sources   of the rows of `bars`; feeds: those of plant.toml

    >>> origin_notes({"built:simulated"}, ())
    (['simulated data: made-up prices'], 'SIMULATED')
    """
    names = {source.removeprefix(_BUILT) for source in sources}
    notes, faint = [], ""
    if SIMULATED in names:
        part = "" if names == {SIMULATED} else ", in part"
        notes.append(f"simulated data{part}: made-up prices")
        faint = "SIMULATED"
    back, late = set(names & PLAYED_BACK), set()
    for feed in feeds:
        if {feed.label, str(feed.own_keys.get("name", ""))} & names:
            back |= {feed.label} if feed.kind in PLAYED_BACK else set()
            late |= {feed.label} if "delayed" in str(feed.own_keys.get("url", "")) else set()
    if back:
        notes.append(f"played back, not live: {', '.join(sorted(back))}")
    if late:
        notes.append(f"delayed by the venue: {', '.join(sorted(late))}")
    return notes, faint
