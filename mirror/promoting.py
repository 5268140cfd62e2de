"""A plant that follows the stream takes it over: `plant promote`.

The stream's last message has to be what this plant's journal ends with. Behind exactly that message goes one of ours,
with our name as its owner: whoever wrote there before finds it, or another message than it knows of, and ends. If it
had written one more, ours is refused, and nothing has changed.
"""

import datetime as dt
import time
from pathlib import Path
from typing import NamedTuple

from mirror.jetstream import Link, Standing
from mirror.owner import owner_of
from plant.errors import JournalDiverged, JournalError, PlantError, SettingsError, Unavailable
from plant.journal.files import segment_paths
from plant.journal.segments import Segments
from plant.runtime.promotion import Promotion, keep_promotion
from plant.runtime.settings import Settings
from plant.stream.mirrored import packed_tables
from plant.transport.request import Requester
from plant.wire import messages
from plant.wire.record import records

ASK_S = 2.0
"""Longest a tickerplant may take to answer."""

STREAM_S = 30.0
"""Longest the stream's leader may take: a new one is elected within 4 to 9 s."""


class Promoted(NamedTuple):
    """What came of it: the last record that this plant has of the stream, and what the old one had besides.

    unmirrored   batches that the old plant knew of when it wrote its last message, and that are not in the stream
    old_seq      where the old plant's journal ends, None if it was not asked or did not answer
    """

    seq: int
    unmirrored: int
    old_seq: int | None


class End(NamedTuple):
    """The last record of a journal."""

    seq: int
    crc: int


def promote(settings: Settings, still_s: float, old: str = "") -> Promoted:
    """Take over the stream that this plant follows; `still_s`: so long it must not have grown.

    old     the old plant's address for questions about its journal, to count what is lost, and to tell it

    Raises PlantError, and nothing has changed, if the stream grows, or is not what this plant's journal is.
    """
    _refuse(settings)
    link = Link(settings.mirror)
    try:
        standing = _still(link, still_s)
        _compare(journal_end(settings), End(*standing.place.mark[1:]), link.stream)
        owner = owner_of(settings.plant.data)
        if standing.owner != owner:
            _take_over(link, standing, owner)
    finally:
        link.close()
    seq = standing.place.mark.seq
    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    try:
        keep_promotion(settings.plant.data, Promotion(settings.upstream.name, seq, at))
    except OSError as error:
        raise JournalError(
            f"{settings.plant.data}: cannot note that this plant was promoted: {error.strerror}; the stream is taken "
            "over already, so promote it again once that is mended"
        ) from None
    old_seq = _tell(old, f"another plant took over {link.stream} at {at}, behind seq {seq}") if old else None
    return Promoted(seq, max(standing.plant_seq - seq, 0), old_seq)


def journal_end(settings: Settings) -> End:
    """Return the last record of this plant's journal, of its tickerplant, or from disk if that is down."""
    requester = Requester(settings.journal_address, "tickerplant", ASK_S)
    try:
        seq = int(requester.status()["seq"])
        _, found = requester.ask(**messages.ask_journal(seq, check=True, max_bytes=1))
    except Unavailable:
        found = _end_on_disk(settings.plant.data / "journal")
    finally:
        requester.close()
    ends = [End(header.seq, header.header_crc) for header, _ in records(found)]
    return ends[-1] if ends else End(0, 0)


def _end_on_disk(folder: Path) -> bytes:
    if not segment_paths(folder):
        return b""
    segments = Segments(folder)
    last = next((s for s in reversed(segments) if s.load()), None)
    return last.read(last.load()[-1].first_seq, 2**26, check=True) if last is not None else b""


def _refuse(settings: Settings) -> None:
    """Raise PlantError for a plant that cannot be promoted as it is set up."""
    if (done := settings.promotion) is not None:
        raise PlantError(
            f"this plant was promoted already, at {done.at}, behind seq {done.seq}: it writes the stream {done.name}; "
            "if its processes were not started anew since, do that: `plant down`, then `plant up`"
        )
    upstream, own = settings.upstream, settings.mirror
    if not upstream.stream:
        raise SettingsError(
            f"{settings.file}: this plant follows no stream ([upstream] stream): it has nothing to take over"
        )
    if not own.servers or own.name != upstream.name:
        raise SettingsError(
            f"{settings.file}: a plant that takes over the stream {upstream.name} writes it from then on: set [mirror] "
            f'servers (and name = "{upstream.name}") as the old plant has them'
        )


def _still(link: Link, still_s: float) -> Standing:
    """Return where the stream stands. Raises PlantError if it grows meanwhile."""
    before = link.present().result(STREAM_S)
    time.sleep(still_s)
    after = link.present().result(STREAM_S)
    if after.place.js_seq != before.place.js_seq:
        raise PlantError(
            f"{link.stream} still grows: its message {after.place.js_seq} came within the last {still_s:g} s, so the "
            "plant that writes it lives. Stop that plant (`plant down` there), or its mirror, then promote this one"
        )
    return after


def _compare(ours: End, theirs: End, stream: str) -> None:
    if ours == theirs:
        return
    if ours.seq < theirs.seq:
        raise PlantError(
            f"this plant has read {stream} up to seq {ours.seq}, and it ends at {theirs.seq}: let it catch up (its "
            "tickerplant must run), then promote it"
        )
    raise JournalDiverged(
        f"this plant's journal ends at seq {ours.seq} and {stream} at {theirs.seq}, with other records: it is not the "
        "stream's journal, and cannot take its place"
    )


def _take_over(link: Link, standing: Standing, owner: str) -> None:
    declared, place = standing.declared, standing.place
    if declared is None:
        raise PlantError(f"{link.stream} does not say how tables are declared: no mirror has written there")
    told = declared._replace(seq=place.mark.seq, crc=place.mark.checksum)
    try:
        link.declare(packed_tables(told), place.js_seq, owner, place.mark.seq).result(STREAM_S)
    except Unavailable as error:
        raise PlantError(
            f"{link.stream} was not taken over: {error}. Whether our message came through is read from it when this "
            "plant is promoted again"
        ) from None


def _tell(old: str, reason: str) -> int | None:
    """Fence the old plant, if it still answers; return where its journal ends.

    One that follows takes no rows, so it is not the old one, whatever was typed: it may be this very plant.
    """
    requester = Requester(old, "the old plant's tickerplant", ASK_S)
    try:
        if requester.status().get("role") == messages.FOLLOWS:
            return None
        requester.ask(**messages.diverged(reason))
        return int(requester.status()["seq"])
    except Unavailable:
        return None
    finally:
        requester.close()
