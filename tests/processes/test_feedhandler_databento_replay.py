"""A replay that begins before the end of what was seen doubles nothing, and leaves out nothing."""

from hypothesis import given
from hypothesis import strategies as st

from feedhandler.databento.replay import LONGEST_NS, OVERLAP_NS, Seen

SECOND = 10**9


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60), st.lists(st.integers(0, 3), max_size=20), st.integers(1, 8)
)
def test_each_record_goes_on_once(before: list[int], missed: list[int], steps: int) -> None:
    """Records of equal bytes too: the same trade at the same moment may come twice, and be two."""
    now, stream = 1_000 * SECOND, []
    for k, step in enumerate([*before, *missed]):
        now += step * SECOND // steps
        stream.append((now, b"%d" % (now if k % 3 else now // SECOND)))
    seen = Seen()
    on = [record for at, record in stream[: len(before)] if not seen.repeated(record, at)]
    assert on == [record for _, record in stream[: len(before)]]
    start = seen.begin(now)
    assert start is not None
    on += [record for at, record in stream if at >= start and not seen.repeated(record, at)]
    seen.completed()
    assert sorted(on) == sorted(record for _, record in stream)


def test_the_first_session_begins_now_and_no_replay_is_longer_than_there_is() -> None:
    seen = Seen()
    assert seen.begin(10**18) is None
    seen.repeated(b"x", 10**18)
    assert seen.begin(10**18) == 10**18 - OVERLAP_NS
    assert seen.begin(10**18 + 2 * LONGEST_NS) == 10**18 + LONGEST_NS
