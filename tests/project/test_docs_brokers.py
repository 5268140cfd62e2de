"""The page on brokers says what the code does."""

import tomllib
from pathlib import Path

from trading.brokers import alpaca, alpaca_messages, binance, binance_messages, opening
from trading.brokers.broker import Absent, Broker, Denied, Duplicate, Limited, Unclear
from trading.brokers.clock_offset import REMEASURE_S
from trading.brokers.credentials import FILE, credentials_of
from trading.brokers.desk.inquiry import ABSENT_AFTER_S, ASK_AT_S
from trading.brokers.desk.reconciliation import CENT, What
from trading.brokers.desk.register import HOLD_S
from trading.brokers.desk.ticket import FETCHES, GRACE_S
from trading.desk.exits import refusal
from trading.events import Side
from trading.instruments import Instrument
from trading.orders import Kind, Order

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/brokers.md").read_text()
WORDS = " ".join(PAGE.split())


def blocks(language: str) -> list[str]:
    return [part.split("```")[0] for part in PAGE.split(f"```{language}\n")[1:]]


def test_addresses_are_those_that_are_used() -> None:
    for name, here in (("alpaca", alpaca), ("binance", binance)):
        paper = here.PAPER if name == "alpaca" else here.TESTNET
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
        assert line.endswith(f"| `{paper}` | `{here.LIVE}` |")
        assert name in opening.BROKERS


def test_times_are_those_of_the_code() -> None:
    *first, last = (f"{at:.0f}" for at in ASK_AT_S)
    assert f"after {', '.join(first)} and {last} s" in WORDS
    assert f"not there when asked after {ABSENT_AFTER_S:.0f} s" in WORDS
    assert f"wait for at most {HOLD_S:.0f} s" in WORDS
    assert f"fetched after {GRACE_S:.0f} s; if it lists none in {FETCHES} answers" in WORDS
    assert f"more than {binance.RECV_WINDOW_MS // 1000} s old (recvWindow)" in WORDS
    assert f"every {REMEASURE_S / 60:.0f} minutes" in WORDS
    assert CENT == 10**6
    assert "cash differs by a cent or more" in WORDS


def test_what_is_refused_and_taken_is_said() -> None:
    for name in alpaca_messages.TIMES_IN_FORCE | set(binance_messages._TIMES_IN_FORCE):
        assert f"`{name}`" in PAGE
    for error in (Denied, Duplicate, Absent, Limited, Unclear):
        assert f"`{error.__name__}`" in PAGE
    assert len([name for name in vars(Broker) if not name.startswith("_")]) == 10, "ten methods, it says"
    assert f"`{What.ORPHAN}`" in PAGE


def test_what_it_says_of_pairs_is_what_is_sent() -> None:
    names = {
        "sym": "A",
        "run": "r",
        "strategy": "s",
        "account": "a",
        "side": Side.SELL,
        "qty": 1,
        "time_in_force": "gtc",
    }
    stop = Order(order_id="tp-r-1-0", kind=Kind.STOP, stop_price=90, tag="stop_loss", **names)
    target = Order(order_id="tp-r-1-1", kind=Kind.LIMIT, limit_price=110, tag="take_profit", **names)
    trailing = Order(order_id="tp-r-1-2", kind=Kind.TRAILING, trail=5, tag="trailing_stop", **names)
    assert alpaca_messages.pair_body(target, stop, Instrument("A"))["order_class"] == "oco"
    assert "an order of class `oco`" in WORDS
    fields = binance_messages.pair_fields(target, stop, Instrument("A"))
    assert f"a {fields['aboveType']} above the price and a {fields['belowType']} below it" in WORDS
    assert "[one order](brokers.md#a-stop-and-a-target)" in (ROOT / "docs/trading.md").read_text()
    assert "## A stop and a target" in PAGE
    for broker in (alpaca.Alpaca, binance.Binance):
        assert hasattr(broker, "place_pair")
        assert "`place_pair` (`Pairs`)" in PAGE
    assert "With a `take_profit` alone Alpaca is sent the trailing stop, and the target is `refused`" in WORDS
    for broker_name, gives_way in (("alpaca", target), ("binance", trailing)):
        refused = [one for one in (target, trailing) if refusal(one, (target, trailing), broker_name)]
        assert refused == [gives_way]
        three = (stop, target, trailing)
        assert [one for one in three if refusal(one, three, broker_name)] == [trailing], "and the others go out"


def test_the_settings_are_toml_and_the_keys_are_found_where_it_says(tmp_path: Path) -> None:
    settings, keys = (tomllib.loads(block) for block in blocks("toml"))
    (account,) = settings["accounts"]
    assert len(account["name"]) <= 9
    (tmp_path / FILE).write_text(blocks("toml")[1])
    (tmp_path / FILE).chmod(0o600)
    assert credentials_of(account["name"], account["broker"], {}, tmp_path).key.reveal() == keys["swing-1"]["key"]
    for names in (("ALPACA_API_KEY_SWING_1", "ALPACA_API_SECRET_SWING_1"), ("ALPACA_API_KEY", "ALPACA_API_SECRET")):
        assert all(f"`{name}`" in PAGE for name in names)
        found = credentials_of(account["name"], account["broker"], dict.fromkeys(names, names[0]), tmp_path)
        assert found.key.reveal() == names[0]
