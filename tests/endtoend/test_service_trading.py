"""The routes of trading against a plant with its trader: orders, money, risk, strategies, pictures, aliases."""

import io
import os
import random
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import service_plant
from PIL import Image
from service_plant import ServicePlant
from trading_plant import CROSS, TOML, closed_bars
from typer.testing import CliRunner

from api.pictures.command import app as chart
from plant.errors import UnknownSymbol
from plant.state.newest import Row

V1 = "/api/v1"
MINUTE = 60 * 10**9
PAGE = Path(__file__).parents[2] / "docs/api-trading.md"

DEFINITION: dict[str, Any] = {
    "id": "up",
    "description": "long above its mean",
    "sym": ["A"],
    "interval": "1m",
    "indicators": [{"as": "fast", "name": "ema", "parameters": {"period": 3}, "input": "close"}],
    "signals": [
        {"id": "in", "action": "entry", "side": "long", "all": [{"left": "close", "operator": "gt", "right": "fast"}]}
    ],
    "risk": {"size": {"type": "qty", "value": 2}},
    "tags": ["test"],
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    toml = TOML + f'[[accounts]]\nname = "two"\n{LIMITS}'
    options = {"toml": toml, "api": "read_per_s = 10000\ntrade_per_s = 10000\npng = true\n"}
    folder = tmp_path_factory.mktemp("service") / "plant"
    with service_plant.started(folder, "hdb", "processor", "trading", **options) as plant:
        (plant.folder / "strategies").mkdir()
        (plant.folder / "strategies" / "cross.py").write_text(CROSS)
        publish(plant, closed_bars(random.Random(5), 3, ("A", "B/C")))
        yield plant


LIMITS = 'fills = { preset = "careful", volume_share = 1.0 }\nlimits = { stale_s = 0 }\n'


def publish(plant: ServicePlant, rows: Any) -> int:
    with plant.publisher(f"closes-{time.time_ns()}") as feed:
        for row in rows:
            feed.publish("bar_closes", row, strict=True)
        seq = feed.flush()
    plant.until(lambda: plant.ask().status()["seq"] >= seq, "rows in the rdb")
    return seq


def bar(price: float, sym: str = "A") -> Row:
    at = time.time_ns()
    prices = dict.fromkeys(("open", "high", "low", "close"), price)
    return {"time": at, "sym": sym, "market_time": at - MINUTE, "interval": "1m", **prices, "volume": 1e4}


def order(plant: ServicePlant, role: str = "", key: str = "", patient: bool = True, **body: Any) -> httpx.Response:
    """Return the answer to an order; one that the trader is slow to take is asked for again, as a client would."""
    told = {"Idempotency-Key": key or secrets.token_hex(8)}
    while True:
        found = plant.send("POST", f"{V1}/orders", {"sym": "A", "side": "buy", "qty": 1, **body}, role, told)
        if found.status_code != 504 or not patient:
            return found


def good(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert (told["code"], told["status"], told["type"]) == (code, status, f"/errors/{code}")
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


def size_of(file: Path) -> tuple[int, int]:
    return Image.open(io.BytesIO(file.read_bytes())).size


def state_of(plant: ServicePlant, order_id: str) -> str:
    return str(good(plant.get(f"{V1}/orders/{order_id}"))["state"])


def test_an_order_is_given_filled_and_counted(service: ServicePlant) -> None:
    first = good(order(service, qty=3, type="market", client_order_id="mine", account="two"), 201)
    assert (first["n"], first["run"], first["kind"], first["qty"]) == (1, "manual-two", "market", 3.0)
    (command,) = service.ask(frames="arrow").select("commands", where=("seq", "==", first["cause_seq"])).to_pylist()
    assert (command["sym"], command["command"]) == ("A", "order")
    publish(service, [bar(101.0)])
    service.until(lambda: state_of(service, first["order_id"]) == "filled", "the fill")

    whole = good(service.get(f"{V1}/orders/{first['order_id']}"))
    assert whole["filled"] == 3.0
    assert [each["n"] for each in whole["transitions"]] == list(range(1, len(whole["transitions"]) + 1))
    assert [each["qty"] for each in whole["fills"]] == [3.0]
    (held,) = good(service.get(f"{V1}/positions", account="two"))["rows"]
    assert (held["sym"], held["qty"], held["strategy"]) == ("A", 3.0, "manual")
    (fill,) = good(service.get(f"{V1}/fills", account="two"))["rows"]
    assert (fill["order_id"], fill["price"]) == (first["order_id"], whole["average"])
    assert not good(service.get(f"{V1}/fills", account="two", end="2020-01-01"))["rows"]
    assert good(service.get(f"{V1}/fills", account="two", sym="A", start="2020-01-01"))["rows"] == [fill]
    (mine,) = good(service.get(f"{V1}/account", account="two"))["accounts"]
    assert (mine["broker"], mine["mode"], mine["halted"]) == ("paper", "paper", False)
    assert mine["equity"] == pytest.approx(mine["cash"] + mine["value"])
    for by in ("day", "sym", "strategy"):
        (row,) = good(service.get(f"{V1}/pnl", by=by, account="two"))["rows"]
        assert (row["fills"], row["commission"]) == (1, fill["commission"]), by
        assert (row["unrealised"] is None) == (by == "day")
    csv = service.client.get(f"{V1}/orders", params={"account": "two"}, headers={"Accept": "text/csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert first["order_id"] in csv.text


def test_a_repeat_with_its_key_gives_no_second_order(service: ServicePlant) -> None:
    first = good(order(service, key="once", tag="repeat"), 201)
    again = order(service, key="once", tag="repeat")
    assert good(again, 201) == first
    assert again.headers["idempotency-replayed"] == "true"
    problem(order(service, key="once", tag="other"), 409, "idempotency_conflict")
    rows = good(service.get(f"{V1}/orders", limit=1000))["rows"]
    assert [row["order_id"] for row in rows if row["tag"] == "repeat"] == [first["order_id"]]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"side": "long"}, "$.side"),
        ({"qty": None}, "$"),
        ({"notional": 5}, "$"),
        ({"qty": -1}, "$.qty"),
        ({"limit_price": 0}, "$.limit_price"),
        ({"type": "limit"}, "$"),
        ({"time_in_force": "now"}, "$.time_in_force"),
        ({"account": "nobody"}, "$.account"),
        ({"qtty": 1}, "$.qtty"),
        ({"sym": 7}, "$.sym"),
    ],
)
def test_what_is_no_order_is_refused_with_its_place(service: ServicePlant, body: dict[str, Any], place: str) -> None:
    told = problem(order(service, **body), 422, "invalid")
    assert told["errors"][0]["place"].startswith(place), told


def test_what_is_no_json_is_refused_before_it_is_read(service: ServicePlant) -> None:
    for path in ("orders", "strategies", "risk/halt"):
        url = f"{V1}/{path}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        problem(service.client.post(url, content=b"sym=A", headers=form), 415, "unsupported_media_type")
        json = {"Content-Type": "application/json"}
        problem(service.client.post(url, content=b'{"sym":', headers=json), 400, "malformed")
        problem(service.client.post(url, content=b'{"sym":"\\ud800"}', headers=json), 422, "invalid")


def test_orders_are_cancelled_one_and_all(service: ServicePlant) -> None:
    ids = [good(order(service, type="limit", limit_price=99.0, time_in_force="gtc"), 201)["order_id"] for _ in "123"]
    gone = good(service.send("DELETE", f"{V1}/orders/{ids[0]}"))
    assert (gone["order_id"], gone["state"]) == (ids[0], "cancelled")
    problem(service.send("DELETE", f"{V1}/orders/{ids[0]}"), 409, "wrong_state")
    problem(service.send("DELETE", f"{V1}/orders/{ids[0]}x"), 404, "not_found")
    problem(service.get(f"{V1}/orders/nothing"), 404, "not_found")
    still = good(service.get(f"{V1}/orders", state="open", sym="A"))["rows"]
    assert {row["order_id"] for row in still} >= set(ids[1:])
    told = good(service.client.request("DELETE", f"{V1}/orders", params={"sym": "A"}))
    assert set(ids[1:]) <= set(told["orders"])
    service.until(lambda: not good(service.get(f"{V1}/orders", state="open", sym="A"))["rows"], "all cancelled")
    page = good(service.get(f"{V1}/orders", limit=2))
    following = good(service.get(f"{V1}/orders", limit=2, cursor=page["next"]))
    assert len({row["order_id"] for row in page["rows"] + following["rows"]}) == 4
    problem(service.get(f"{V1}/orders", cursor="x"), 422, "invalid")


def test_limits_refuse_an_order_by_their_name(service: ServicePlant) -> None:
    body = {"account": "two", "max_order_qty": 5}
    problem(service.send("PUT", f"{V1}/risk", body), 401, "unauthenticated")
    problem(service.send("PUT", f"{V1}/risk", body, "trade"), 403, "forbidden")
    problem(service.send("PUT", f"{V1}/risk", body | {"max_ordr": 1}, "admin"), 422, "invalid")
    problem(service.send("PUT", f"{V1}/risk", {"max_order_qty": -1}, "admin"), 422, "invalid")
    told = good(service.send("PUT", f"{V1}/risk", body, "admin"))
    told_again = problem(service.send("PUT", f"{V1}/risk", body, "admin", {"If-Match": '"1"'}), 412, "version_conflict")
    assert told_again["expected"] == told["version"]
    (mine,) = good(service.get(f"{V1}/risk", account="two"))["accounts"]
    assert (mine["limits"]["max_order_qty"], mine["told"], mine["version"]) == (5, {"max_order_qty": 5}, told["seq"])
    refused = problem(order(service, qty=6, account="two"), 422, "refused")
    assert (refused["rule"], refused["expected"], refused["found"]) == ("max_order_qty", 5.0, 6.0)
    match = {"If-Match": f'"{told["version"]}"'}
    good(service.send("PUT", f"{V1}/risk", {"account": "two", "max_order_qty": None}, "admin", match))
    good(order(service, qty=6, account="two", type="limit", limit_price=95.0), 201)


def test_the_kill_switch_needs_no_key_and_its_end_an_admin(service: ServicePlant) -> None:
    waiting = good(order(service, type="limit", limit_price=95.0), 201)["order_id"]
    assert good(service.send("POST", f"{V1}/risk/halt", {"note": "test"}))["halted"]
    assert problem(order(service), 422, "refused")["rule"] == "halted"
    service.until(lambda: state_of(service, waiting) == "cancelled", "the open order")
    assert all(each["halted"] for each in good(service.get(f"{V1}/account"))["accounts"])
    problem(service.send("POST", f"{V1}/risk/halt", {"account": "nobody"}), 422, "invalid")
    problem(service.send("POST", f"{V1}/risk/resume", {}, "trade"), 403, "forbidden")
    problem(service.send("POST", f"{V1}/risk/halt", {}, "read"), 403, "forbidden")
    assert not good(service.send("POST", f"{V1}/risk/resume", {}, "admin"))["halted"]
    good(order(service, type="limit", limit_price=95.0), 201)


def test_the_kill_switch_works_while_all_that_is_read_is_stuck(service: ServicePlant) -> None:
    service.kill("rdb", signal.SIGSTOP)
    service.kill("hdb", signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(20) as pool:
            stuck = [pool.submit(service.get, f"{V1}/orders") for _ in range(20)]
            began = time.monotonic()
            told = good(service.send("POST", f"{V1}/risk/halt", {"account": "two"}))
            took = time.monotonic() - began
            service.kill("rdb", signal.SIGCONT)
            service.kill("hdb", signal.SIGCONT)
            assert {each.result().status_code for each in stuck} <= {200, 503}
    finally:
        service.kill("rdb", signal.SIGCONT)
        service.kill("hdb", signal.SIGCONT)
    assert took < 5
    assert service.position()["seq"] >= told["seq"]
    service.until(lambda: good(service.get(f"{V1}/account", account="two"))["accounts"][0]["halted"], "the halt")
    assert not good(service.get(f"{V1}/account", account="paper"))["accounts"][0]["halted"]
    good(service.send("POST", f"{V1}/risk/resume", {"account": "two"}, "admin"))


def test_positions_are_closed_also_of_a_symbol_with_a_slash(service: ServicePlant) -> None:
    publish(service, [bar(50.0, "B/C")])
    bought = good(order(service, sym="B/C", qty=2), 201)["order_id"]
    publish(service, [bar(50.0, "B/C")])
    service.until(lambda: state_of(service, bought) == "filled", "the position")
    told = good(service.send("POST", f"{V1}/positions/B/C/close"), 202)
    assert [(row["sym"], row["qty"]) for row in told["positions"]] == [("B/C", 2.0)]

    def held() -> bool:
        publish(service, [bar(50.0, "B/C")])
        return bool(good(service.get(f"{V1}/positions", sym="B/C"))["rows"])

    service.until(lambda: not held(), "the close")
    problem(service.send("POST", f"{V1}/positions/B/C/close"), 404, "not_found")
    good(service.send("POST", f"{V1}/positions/close", {"account": "two"}), 202)
    problem(service.send("POST", f"{V1}/positions/close", {"account": "x"}), 422, "invalid")


def test_a_size_costs_no_more_at_its_stop_than_is_risked(service: ServicePlant) -> None:
    told = good(service.send("POST", f"{V1}/orders/size", {"sym": "AAPL", "side": "buy", "risk": 100, "stop": 180}))
    assert told["qty"] == 100 // (told["entry"] - 180)
    assert told["risk_per_unit"] == told["entry"] - 180
    body = {"sym": "NONE", "side": "buy", "risk": 100, "stop": 180}
    problem(service.send("POST", f"{V1}/orders/size", body), 404, "unknown_symbol")
    assert good(service.send("POST", f"{V1}/orders/size", {**body, "entry": 190}))["qty"] == 10
    problem(service.send("POST", f"{V1}/orders/size", {**body, "entry": 170}), 422, "invalid")


def test_a_strategy_has_versions_and_one_writer_at_a_time(service: ServicePlant) -> None:
    made = service.send("POST", f"{V1}/strategies", DEFINITION)
    first = good(made, 201)
    assert (first["version"], first["class_name"], first["wanted"]) == (1, "Conditions", "stopped")
    assert first["tags"] == ["test"]
    assert made.headers["etag"] == '"1"'
    problem(service.send("POST", f"{V1}/strategies", DEFINITION), 409, "exists")
    changed = DEFINITION | {"interval": "5m"}
    path = f"{V1}/strategies/up"
    problem(service.send("PUT", path, changed), 428, "version_required")
    assert (
        problem(service.send("PUT", path, changed, headers={"If-Match": '"2"'}), 412, "version_conflict")["expected"]
        == 1
    )
    assert good(service.send("PUT", path, changed, headers={"If-Match": '"1"'}))["version"] == 2
    assert good(service.get(path))["interval"] == "5m"
    assert good(service.get(path, version=1))["interval"] == "1m"
    problem(service.get(path, version=9), 404, "not_found")
    problem(service.send("PUT", path, changed | {"id": "other"}, headers={"If-Match": '"2"'}), 422, "invalid")
    twin = good(service.send("POST", f"{path}/clone", {"id": "twin"}), 201)
    assert (twin["id"], twin["version"], twin["sym"], twin["definition"]["id"]) == ("twin", 1, ["A"], "twin")
    assert {"up", "twin"} <= {each["id"] for each in good(service.get(f"{V1}/strategies"))["strategies"]}
    problem(service.send("DELETE", f"{V1}/strategies/twin"), 428, "version_required")
    good(service.send("DELETE", f"{V1}/strategies/twin", headers={"If-Match": '"1"'}))
    problem(service.get(f"{V1}/strategies/twin"), 404, "not_found")
    assert good(service.get(f"{V1}/strategies/twin", version=1))["version"] == 1
    problem(service.get(f"{V1}/strategies/never"), 404, "not_found")


def test_a_strategy_is_checked_when_it_is_saved(service: ServicePlant) -> None:
    conditions = [{"left": "close", "operator": "gtt", "right": 1}, {"left": "slow", "operator": "gt", "right": 1}]
    bad = DEFINITION | {"id": "bad", "signals": [{"id": "in", "action": "entry", "side": "long", "all": conditions}]}
    told = problem(service.send("POST", f"{V1}/strategies", bad), 422, "invalid")
    assert [each["place"] for each in told["errors"]] == ["$.signals[0].all[0].operator", "$.signals[0].all[1].left"]
    of_class = {"id": "crossing", "class_name": "Cros", "sym": "A", "interval": "1m"}
    told = problem(service.send("POST", f"{V1}/strategies", of_class), 422, "invalid")
    assert "did you mean 'Cross'" in told["detail"]
    told = problem(
        service.send("POST", f"{V1}/strategies", of_class | {"class_name": "Cross", "parameters": {"length": 0}}),
        *(422, "invalid"),
    )
    assert [each["place"] for each in told["errors"]] == ["$.parameters.length"]
    assert good(service.get(f"{V1}/strategies"))["strategies"][0]["id"] != "crossing"


def test_python_code_needs_a_key_and_harms_nobody(service: ServicePlant) -> None:
    body: dict[str, Any] = {"id": "own", "sym": ["A"], "interval": "1m", "python": CROSS, "parameters": {"length": 5}}
    problem(service.send("POST", f"{V1}/strategies", body), 401, "unauthenticated")
    for source, why in (
        ("def f(", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import os; os.abort()", "ended"),
    ):
        told = problem(service.send("POST", f"{V1}/strategies", body | {"python": source}, "trade"), 422, "invalid")
        assert told["errors"][0]["place"] == "$.python"
        assert why in told["detail"]
    wrong = body | {"parameters": {"length": 0}}
    told = problem(service.send("POST", f"{V1}/strategies", wrong, "trade"), 422, "invalid")
    assert told["errors"][0]["place"] == "$.parameters.length"
    first = good(service.send("POST", f"{V1}/strategies", body, "trade"), 201)
    assert (first["definition"]["python"], first["parameters"]) == (CROSS, {"length": 5})
    problem(service.send("POST", f"{V1}/strategies/own/start"), 401, "unauthenticated")
    good(service.send("DELETE", f"{V1}/strategies/own", role="trade", headers={"If-Match": '"1"'}))


def test_a_strategy_runs_trades_and_is_stopped(service: ServicePlant) -> None:
    body = {"id": "cross", "class_name": "Cross", "sym": ["A"], "interval": "1m",
            "parameters": {"limits": {"stale_s": 0, "max_orders_per_minute": None}}}  # fmt: skip
    path = f"{V1}/strategies/cross"
    good(service.send("POST", f"{V1}/strategies", body), 201)
    problem(service.send("POST", f"{path}/stop"), 409, "wrong_state")
    problem(service.send("POST", f"{path}/start", {"mode": "live"}), 401, "unauthenticated")
    started = good(service.send("POST", f"{path}/start", {"mode": "paper"}, headers={"Idempotency-Key": "s1"}))
    assert (started["wanted"], started["version"]) == ("running", 2)
    assert good(service.send("POST", f"{path}/start", {"mode": "paper"}, headers={"Idempotency-Key": "s1"})) == started

    def status() -> dict[str, Any]:
        found = good(service.get(f"{V1}/strategies/status"))["strategies"]
        return next(each for each in found if each["id"] == "cross")

    service.until(lambda: status()["state"] == "running", "the run")
    problem(service.send("POST", f"{path}/start"), 409, "wrong_state")
    chance = random.Random(7)
    for _ in range(4):
        publish(service, closed_bars(chance, 6, ("A",), start=time.time_ns()))
    service.until(lambda: good(service.get(f"{path}/trades"))["rows"], "a round trip")

    def signals() -> list[Row]:
        found: list[Row] = good(service.get(f"{path}/signals"))["rows"]
        return found

    assert {row["strategy"] for row in signals()} == {"cross"}
    service.until(lambda: status()["signals"] == len(signals()) > 1, "as many signals as orders")
    trade = good(service.get(f"{path}/trades"))["rows"][0]
    assert (trade["strategy"], trade["side"] in ("long", "short"), trade["open"]) == ("cross", True, 0)
    metrics = good(service.get(f"{path}/performance"))["metrics"]
    assert set(metrics) == {"return", "win_rate", "profit_factor", "sharpe", "max_drawdown", "exposure"}
    total = good(service.get(f"{V1}/performance"))
    assert {"up", "cross"} >= {each["id"] for each in total["strategies"]} > set()
    assert [each["account"] for each in total["total"]] == ["paper", "two"]
    good(service.send("POST", f"{path}/pause"))
    problem(service.send("POST", f"{path}/pause"), 409, "wrong_state")
    good(service.send("POST", f"{path}/resume"))
    good(service.send("POST", f"{path}/stop", {"note": "enough"}))
    service.until(lambda: status()["state"] == "stopped", "the end")
    problem(service.send("POST", f"{V1}/strategies/none/start"), 404, "not_found")
    problem(service.get(f"{V1}/strategies/none/trades"), 404, "not_found")


def test_permissions_are_granted_for_a_while_and_revoked(service: ServicePlant) -> None:
    body = {"actor": "chat", "target": "python_code", "access": "write", "scope": "session"}
    problem(service.send("POST", f"{V1}/permissions/grant", body, "trade"), 403, "forbidden")
    problem(service.send("POST", f"{V1}/permissions/grant", body | {"target": "x"}, "admin"), 422, "invalid")
    problem(service.send("POST", f"{V1}/permissions/grant", body | {"expires": "2020-01-01"}, "admin"), 422, "invalid")
    told = good(service.send("POST", f"{V1}/permissions/grant", body, "admin"), 201)
    assert told["active"]
    assert told["expires"] > told["time"]
    (mine,) = good(service.get(f"{V1}/permissions"))["permissions"]
    assert mine == told
    revoke = {name: body[name] for name in ("actor", "target", "access")}
    assert not good(service.send("POST", f"{V1}/permissions/revoke", revoke, "admin"))["active"]
    assert not good(service.get(f"{V1}/permissions"))["permissions"][0]["active"]
    problem(service.send("POST", f"{V1}/permissions/revoke", revoke | {"actor": "me"}, "admin"), 404, "not_found")


def test_a_chart_is_a_picture_that_is_asked_for_again_only_if_it_changed(service: ServicePlant) -> None:
    path = f"{V1}/charts/AAPL/1m.png"
    whole = service.get(path)
    assert (whole.status_code, whole.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(whole.content)).size == (1400, 700)
    small = service.get(
        path, width=500, height=300, theme="light", bars=5, overlays="ema_20,rsi_14", annotations="false"
    )
    assert Image.open(io.BytesIO(small.content)).size == (500, 300)
    assert whole.headers["etag"].strip('"').isdecimal()
    past = service.get(path, end="2026-11-20T14:34:00Z")
    known = {"If-None-Match": past.headers["etag"]}
    again = service.client.get(path, params={"end": "2026-11-20T14:34:00Z"}, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (
        service.client.get(path, headers={"If-None-Match": whole.headers["etag"]}).status_code == 200
    )  # it grew older
    problem(service.get(f"{V1}/charts/NONE/1m.png"), 404, "unknown_symbol")
    problem(service.get(path, overlays="ema_21"), 404, "unknown_column")
    problem(service.get(f"{V1}/charts/AAPL/60.png"), 422, "invalid")
    problem(service.get(path, width=10), 422, "invalid")
    assert service.get(f"{V1}/charts/AAPL/3m.png", width=400, height=300).status_code == 200  # made on request
    problem(service.get(f"{V1}/charts/AAPL/30s.png"), 422, "invalid")


def test_the_command_draws_the_same_into_a_file(service: ServicePlant, tmp_path: Path) -> None:
    told = [
        "AAPL",
        "1m",
        "--to",
        str(tmp_path / "a.png"),
        "--bars",
        "4",
        "--width",
        "600",
        "--config",
        str(service.config),
    ]
    done = CliRunner().invoke(chart, told)
    assert done.exit_code == 0, done.output
    assert size_of(tmp_path / "a.png") == (600, 700)
    told[0] = "APL"
    failed = CliRunner().invoke(chart, told)
    assert isinstance(failed.exception, UnknownSymbol)
    assert "AAPL" in str(failed.exception)


def test_a_closed_bar_replaces_its_picture_in_the_data_folder(service: ServicePlant) -> None:
    file = service.settings.plant.data / "charts" / "X%2FY" / "1m.png"
    with service.publisher("pictured") as feed:
        for price in (50.0, 51.0):
            row = bar(price, "X/Y")
            feed.publish("bars", {**{n: row[n] for n in row if n != "market_time"}, "time": row["market_time"]})
            feed.publish("bar_closes", row, strict=True)
            feed.flush()
            seen = file.read_bytes() if file.exists() else b""
            service.until(lambda: file.exists() and file.read_bytes() != seen, "the picture")  # noqa: B023
    assert size_of(file) == (1400, 700)


def test_other_front_ends_are_answered_in_their_words(service: ServicePlant) -> None:
    told = good(service.send("POST", "/trigger-chart-update", {"timeframes": ["2M", "zones"]}))
    assert told == {"status": "broadcasted", "timeframes": ["2m", "zones"], "clients": 0}
    told = good(service.send("POST", "/refresh-chart", {"timeframe": "5M", "chart_type": "live"}))
    assert (told["status"], told["timeframes"]) == ("saved-and-broadcast", ["5m"])
    problem(service.send("POST", "/trigger-chart-update", {}), 422, "invalid")
    problem(service.send("POST", "/refresh-chart", {"timeframe": "5x"}), 422, "invalid")
    rows = good(service.get(f"{V1}/market-data/history/AAPL", interval="1m"))
    assert set(rows[0]) == {"symbol", "dataset", "timestamp", "open", "high", "low", "close", "volume"}
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    problem(service.get(f"{V1}/market-data/history/NONE"), 404, "unknown_symbol")
    told = good(service.get(f"{V1}/dependencies/status"))
    assert all(set(each) == {"name", "available", "detail"} for each in told.values())


WRITES = [
    ("POST", "/strategies", "trade"), ("PUT", "/strategies/up", "trade"), ("DELETE", "/strategies/up", "trade"),
    ("POST", "/strategies/up/clone", "trade"), ("POST", "/strategies/up/start", "trade"),
    ("POST", "/strategies/up/stop", "trade"), ("POST", "/strategies/up/pause", "trade"),
    ("POST", "/strategies/up/resume", "trade"), ("POST", "/orders", "trade"), ("DELETE", "/orders", "trade"),
    ("DELETE", "/orders/x", "trade"), ("POST", "/positions/close", "trade"), ("POST", "/positions/A/close", "trade"),
    ("PUT", "/risk", "admin"), ("POST", "/risk/halt", "trade"), ("POST", "/risk/resume", "admin"),
    ("POST", "/permissions/grant", "admin"), ("POST", "/permissions/revoke", "admin"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "role"), WRITES, ids=lambda each: str(each))
def test_a_change_needs_its_role(service: ServicePlant, method: str, path: str, role: str) -> None:
    for less in {"trade": ("read",), "admin": ("read", "trade")}[role]:
        problem(service.send(method, V1 + path, None, less), 403, "forbidden")
    if role == "admin":
        problem(service.send(method, V1 + path), 401, "unauthenticated")


def test_every_line_of_the_page_is_as_it_says(service: ServicePlant, tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    commands = [command for block in blocks for command in re.split(r"\n(?=curl )", block.strip())]
    assert len(commands) > 30
    for command in commands:
        line = command.replace("localhost:8000", service.url).replace("curl -sS", "curl -sS --fail-with-body")
        done = subprocess.run(
            ["bash", "-c", line],
            env={**os.environ, "KEY": service.keys["admin"]},
            cwd=tmp_path,
            capture_output=True,
            timeout=30,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"
    assert {file.name for file in tmp_path.iterdir()} == {"chart.png", "light.png"}


def test_an_order_whose_trader_is_away_is_taken_once_when_it_is_back(service: ServicePlant) -> None:
    service.kill("trading")
    told = problem(order(service, key="away", tag="away", patient=False), 504, "not_acknowledged")
    assert told["seq"] > 0
    of_class = {"id": "c", "class_name": "Cross", "sym": "A", "interval": "1m"}
    assert problem(service.send("POST", f"{V1}/strategies", of_class), 503, "unavailable")["process"] == "trading"
    service.start("trading")
    again = order(service, key="away", tag="away")
    first = good(again, 201)
    assert first["cause_seq"] == told["seq"]
    rows = good(service.get(f"{V1}/orders"))["rows"]
    assert [row["order_id"] for row in rows if row["tag"] == "away"] == [first["order_id"]]
