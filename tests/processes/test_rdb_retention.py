"""What an rdb with limits lets go of."""

from plain_rows import NOON, SECOND

from rdb.retention import Keeping


def kept(keep_gb: float = 0.0, keep_hours: float = 0.0, seconds: int = 100) -> Keeping:
    """Return limits that have seen 10 rows a second, seq 1 to `seconds`."""
    keeping = Keeping(keep_gb, keep_hours)
    for i in range(seconds):
        keeping.note(NOON + i * SECOND, i + 1, 10)
    return keeping


def test_without_limits_nothing_goes() -> None:
    assert not Keeping(0.0, 0.0).limited
    assert kept().wanted(NOON * 2, 10**15) == 0


def test_rows_older_than_the_limit_go() -> None:
    keeping = kept(keep_hours=1 / 60)
    assert keeping.wanted(NOON + 60 * SECOND, 0) == 0
    assert keeping.wanted(NOON + 70 * SECOND, 0) == 10
    assert keeping.wanted(NOON + 1000 * SECOND, 0) == 100


def test_what_is_beyond_the_size_goes_oldest_first_and_a_little_more() -> None:
    keeping = kept(keep_gb=1.0)
    assert keeping.wanted(NOON, 10**9) == 0
    assert keeping.wanted(NOON, 2 * 10**9) == 55
    keeping.released(55)
    assert keeping.wanted(NOON, 9 * 10**8) == 0
    assert keeping.wanted(NOON, 2 * 10**9) == 55 + 24


def test_rows_are_noted_once_a_second() -> None:
    keeping = Keeping(0.0, 1.0)
    for i in range(1000):
        keeping.note(NOON + i * SECOND // 100, i, 1)
    assert len(keeping._samples) == 10
