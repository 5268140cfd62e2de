"""Who numbered the rows of a source: told in order, kept over sessions that follow each other, written and read."""

import msgpack
import pytest

from plant.wire.envelope import header_at, number
from plant.wire.numbering import (
    REMEMBERED,
    UNIT_NS,
    Numbered,
    Numbering,
    followed,
    packed_sessions,
    session_of,
    unpacked_sessions,
)

NOW = 1_800_000_000_000_000_000


@pytest.mark.parametrize(
    ("made_ns", "session"),
    [(0, 0), (-1, 0), (UNIT_NS - 1, 0), (UNIT_NS, 1), (NOW, NOW // UNIT_NS), (2**64, 0), (2**64 - 1, 2**48 - 1)],
)
def test_a_session_has_48_bits_and_what_has_no_place_in_them_is_none(made_ns: int, session: int) -> None:
    assert session_of(made_ns) == session


def test_an_envelope_says_who_numbered_its_rows() -> None:
    record = bytearray(72)
    record[:5] = b"TPLT\x01"
    number(record, 7, 2**48 - 2)
    header = header_at(record, 0)
    assert (header.source_seq, header.session, header.session_high, header.session_low) == (
        7,
        2**48 - 2,
        2**16 - 1,
        2**32 - 2,
    )
    number(record, 8)
    assert header_at(record, 0).session == 0


def test_sessions_are_told_in_the_order_of_their_rows_the_newest_of_them() -> None:
    assert followed(None, 5, 0) == Numbered(5)
    known = followed(None, 5, 3)
    assert known.told(9) == ((0, 3), (5, 9)), "nobody said whose the first three are"
    known = followed(known, 6, 9)
    assert known.told(12) == ((0, 3), (5, 9), (6, 12))
    known = followed(known, 5, 12)
    assert known.told(13) == ((0, 3), (6, 12), (5, 13)), "one that comes again is told once, as it is now"
    for session in range(100, 200):
        known = followed(known, session, session)
    assert len(known.told(300)) == REMEMBERED
    assert known.told(300)[-2:] == ((198, 199), (199, 300))


def test_what_is_packed_is_read_again() -> None:
    known = {2**63: Numbered(7, ((0, 3), (5, 2**40))), 1: Numbered(2**48 - 1)}
    packed = msgpack.unpackb(msgpack.packb(packed_sessions(known)), strict_map_key=False)
    assert unpacked_sessions(packed) == known


def test_own_rows_are_those_of_the_last_own_session_that_the_plant_has() -> None:
    numbering = Numbering()
    assert (numbering.base, numbering.session, numbering.own(5, ()), numbering.own(5, ((1, 5),))) == (
        None,
        0,
        None,
        None,
    )
    made_ns = numbering.begin(100, NOW, ())
    first = session_of(NOW)
    assert (made_ns, numbering.base, numbering.session) == (NOW, 100, first)
    assert numbering.own(104, ((9, 100), (first, 104))) == 4
    assert numbering.own(110, ((first, 104), (9, 110))) == 4
    assert numbering.own(110, ((9, 110),)) is None
    assert numbering.own(110, ()) == 10, "a plant that does not know: all behind the base"
    made_ns = numbering.begin(90, made_ns, ((first + 1, 104),))
    assert made_ns == NOW + 2 * UNIT_NS, "neither our own nor another's is taken again"
    assert numbering.own(96, ((first, 104), (first + 2, 96))) == 6
    assert numbering.own(104, ((first, 104),)) == 4
    for base in range(2 * REMEMBERED):
        made_ns = numbering.begin(base, made_ns, ())
    assert len(numbering.bases) == REMEMBERED


def test_a_publisher_without_a_session_has_none_however_often_it_numbers_its_rows() -> None:
    numbering = Numbering()
    assert [numbering.begin(base, 0, ()) for base in (5, 3)] == [0, 0]
    assert (numbering.bases, numbering.own(7, ())) == ({0: 3}, 4)
