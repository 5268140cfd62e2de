"""What a broker says becomes rows of the plant and comes back exactly, also between ticks."""

from fractions import Fraction

from chance import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from state_rows import NOON, through_the_plant

from trading.brokered.report_rows import finding_of, finding_row, report_of, report_row
from trading.brokers.desk.reconciliation import Finding, What
from trading.events import Fill, OrderReport, Side
from trading.instruments import Instrument
from trading.orders import State

COIN = Instrument("BTCUSDT", tick=0.01, lot=1e-5)
NUMBERS = st.integers(0, 10**12) | st.fractions(0, 10**9, max_denominator=10**9)
PLACE = {"received": NOON + 7, "seq": 81_234, "seq_row": 3}
PRICED = st.builds(
    Fill,
    *(st.just(each) for each in ("BTCUSDT", NOON, NOON + 7, 81_234, 3)),
    st.text("abc-:", min_size=1),
    st.just("tp-r-1-0"),
    st.sampled_from(Side),
    st.integers(1, 10**12),
    NUMBERS,
    st.integers(-(10**15), 10**15),
    st.sampled_from(("maker", "taker")),
)
REPORTS = st.builds(
    OrderReport,
    *(st.just(each) for each in ("BTCUSDT", NOON, NOON + 7, 81_234, 3, "tp-r-1-0")),
    st.sampled_from(("", *map(str, State))),
    st.sampled_from(("", "904837e3")),
    st.none() | st.integers(0, 10**12),
    st.none() | NUMBERS,
    st.none() | PRICED,
    st.text("ab c", max_size=9).map(str.strip),
    st.none() | st.integers(1, 10**12),
)


@settings(max_examples=examples(100), deadline=None)
@given(REPORTS)
def test_a_report_comes_back_as_it_was(report: OrderReport) -> None:
    row = through_the_plant("broker_reports", report_row(NOON, "swing-1", report, COIN)) | PLACE
    assert report_of(row) == report
    for number in (
        found for found in (report_of(row).paid, report_of(row).fill and report_of(row).fill.price) if found
    ):
        assert isinstance(number, int) or number.denominator > 1


def test_its_floats_are_for_people() -> None:
    fill = Fill(
        "BTCUSDT", NOON, 0, 0, 0, "e1", "tp-r-1-0", Side.SELL, 150_000, Fraction(13_333, 2), 12_345_678, "maker"
    )
    row = report_row(NOON, "swing-1", OrderReport("BTCUSDT", NOON, 0, 0, 0, "tp-r-1-0", "", fill=fill), COIN)
    assert (row["qty"], row["price"], row["commission"], row["side"]) == (1.5, 66.665, 0.12345678, "sell")
    assert '"ticks": "13333/2"' in row["exact"]


def test_what_has_no_time_was_so_when_the_plant_took_it() -> None:
    told = report_row(NOON, "a", OrderReport("BTCUSDT", 0, 0, 0, 0, "tp-r-1-0", "accepted"), COIN)
    assert report_of(through_the_plant("broker_reports", told) | PLACE).market_time == NOON + 7


@settings(max_examples=examples(50), deadline=None)
@given(st.sampled_from(What), NUMBERS, NUMBERS, st.booleans())
def test_a_finding_comes_back_as_it_was(what: What, ours: Fraction, theirs: Fraction, halts: bool) -> None:
    if what not in (What.POSITION, What.FEE, What.CASH):
        ours = theirs = Fraction(0)
    found = Finding(what, "" if what is What.CASH else "BTCUSDT", "tp-r-1-0", ours, theirs, "a sentence", halts)
    row = through_the_plant("broker_reports", finding_row(NOON, "swing-1", "USDT", found, COIN)) | PLACE
    assert finding_of(row) == found
    assert row["sym"] == ("USDT" if what is What.CASH else "BTCUSDT")


def test_a_difference_is_shown_in_units_and_money() -> None:
    found = Finding(What.POSITION, "BTCUSDT", "", 0, 250_000, "differs", True)
    row = finding_row(NOON, "swing-1", "USDT", found, COIN)
    assert (row["ours"], row["theirs"], row["halts"]) == (0.0, 2.5, 1)
    assert finding_row(NOON, "a", "USDT", Finding(What.CASH, "", "", 0, 150_000_000), COIN)["theirs"] == 1.5
