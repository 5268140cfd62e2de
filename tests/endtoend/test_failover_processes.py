"""Two venues of one symbol as processes: the first is killed, the second counts from the next minute on, and back.

The servers stamp trades with times of the test's, minutes apart; the 15 s of silence are real.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest
from alpaca_server import KEY, SECRET, AlpacaServer
from running import RunningPlant
from tradier_server import KEY as TOKEN
from tradier_server import MS, TradierServer

MINUTE = 60 * 10**9
SECOND = 10**9
FIRST, OTHER = "feedhandler alpaca", "feedhandler tradier"


def test_a_venue_whose_process_is_killed_hands_over_and_takes_over_again(
    start_plant: Callable[..., RunningPlant], eventually: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("ALPACA_API_KEY", KEY), ("ALPACA_API_SECRET", SECRET), ("TRADIER_API_KEY", TOKEN)):
        monkeypatch.setenv(name, value)
    start = (time.time_ns() // MINUTE - 30) * MINUTE
    with AlpacaServer() as first, TradierServer() as second:
        plant = start_plant(
            "tickerplant",
            "rdb",
            "processor",
            processor='intervals = ["1m"]',
            toml='[bars]\nsources = ["alpaca", "tradier"]\n'
            f'[[feeds]]\nkind = "alpaca"\nsymbols = ["AAPL"]\nchannels = ["trades"]\nurl = "{first.url}/v2/sip"\n'
            f'rest_url = "{first.rest_url}"\n'
            f'[[feeds]]\nkind = "tradier"\nsymbols = ["AAPL"]\nchannels = ["trades"]\nurl = "{second.url}"\n'
            f'rest_url = "{second.rest_url}"\n',
        )
        db = plant.ask("rdb")

        def listening(name: str, server: Any) -> None:
            eventually(server.names, 30, lambda: plant.log(name)[-2000:])

        def trade(at_s: int) -> None:
            first.trade("AAPL", 100.0 + at_s, start + at_s * SECOND)
            second.trade("AAPL", f"{1000 + at_s}", "20", (start + at_s * SECOND) // MS)

        def counted(state: str) -> list[str]:
            rows = db.select("gaps", "processor")
            return [detail for detail in map(str, rows["detail"][rows["state"] == state]) if " count from " in detail]

        plant.start(FIRST, OTHER)
        listening(FIRST, first)
        listening(OTHER, second)
        for number, at_s in enumerate((5, 15, 25), 1):
            heard = time.monotonic()
            first.trade("AAPL", 100.0 + at_s, start + at_s * SECOND)
            eventually(
                lambda wanted=2 * number - 1: len(db.select("trades")) == wanted, 20, lambda: db.select("trades")
            )
            second.trade("AAPL", f"{1000 + at_s}", "20", (start + at_s * SECOND) // MS)
            eventually(lambda wanted=2 * number: len(db.select("trades")) == wanted, 20, lambda: db.select("trades"))
        plant.kill(FIRST)
        at_s = 60
        while not (switched := counted("opened")) and time.monotonic() < heard + 60:
            trade(at_s)  # within the next minute
            at_s += 1
            time.sleep(0.5)
        assert time.monotonic() - heard >= 15
        assert len(switched) == 1, db.select("gaps")["detail"].tolist()
        assert "AAPL: no trade of alpaca for 15 s; trades of tradier count from" in switched[0]
        between = at_s - 1
        for at_s in (125, 150):
            trade(at_s)
        plant.start(FIRST)  # and fetches what it missed
        listening(FIRST, first)
        trade(170)
        eventually(lambda: counted("healed"), 20, lambda: db.select("gaps"))
        for at_s in (185, 200):
            trade(at_s)
        wanted = {0: (125.0, "built:alpaca"), 1: (100.0 + between, "built:alpaca"), 2: (1170.0, "built:tradier"),
                  3: (300.0, "built:alpaca")}  # fmt: skip

        def bars() -> dict[int, tuple[float, str]]:
            rows = db.select("bars", "AAPL")
            times = (rows["time"].astype("int64") - start) // MINUTE
            return dict(zip(times.tolist(), zip(rows["close"], rows["source"], strict=True), strict=True))

        eventually(lambda: bars() == wanted, 30, lambda: (bars(), db.select("gaps")))
