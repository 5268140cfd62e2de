"""A reader's reports of gaps: what was lost is reported once, over all its replays of the journal."""

from plain_rows import NOON, batch_of, trade

from plant.serving.reports import GapReports
from plant.stream.stream import Gap


def gap(state: str = "lost", table: str = "trades", first: int = 5, last: int = 7) -> Gap:
    return Gap(table, first, last, state, "")


def row(of: Gap, reader: str = "rdb") -> dict[str, object]:
    fields = {"table_name": of.table, "first": of.first, "last": of.last, "state": of.state, "detail": of.detail}
    return {"time": NOON, "sym": reader, **fields}


def test_what_the_journal_says_was_reported_is_not_reported_again() -> None:
    reports = GapReports("rdb")
    found = [gap(), gap(first=20, last=20), gap(table="bars")]
    assert reports.due(found, caught_up=False) == []
    reports.learn(batch_of("gaps", [row(gap()), row(gap(first=19, last=30))]))
    assert reports.due(found, caught_up=True) == [gap(table="bars")]
    assert found == []
    assert reports.due([gap(table="bars")], caught_up=True) == []


def test_what_another_reader_reported_or_what_was_healed_is_no_report_of_ours() -> None:
    reports = GapReports("rdb")
    reports.learn(batch_of("gaps", [row(gap(), "processor"), row(gap("opened")), row(gap("healed"))]))
    reports.learn(batch_of("trades", [trade(NOON)]))
    assert reports.due([gap()], caught_up=True) == [gap()]


def test_a_larger_loss_than_was_reported_is_reported() -> None:
    reports = GapReports("rdb")
    reports.learn(batch_of("gaps", [row(gap())]))
    assert reports.due([gap(last=8), gap(first=6, last=6)], caught_up=True) == [gap(last=8)]


def test_opened_and_healed_gaps_are_reported_at_once_and_each_time() -> None:
    reports = GapReports("rdb")
    found = [gap("opened"), gap(), gap("healed")]
    assert reports.due(found, caught_up=False) == [gap("opened"), gap("healed")]
    assert found == [gap()]
    assert reports.due([gap("opened")], caught_up=False) == [gap("opened")]
    assert reports.due(found, caught_up=True) == [gap()]
