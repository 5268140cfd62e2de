"""The service in front of a plant: what is asked over HTTP is what the plant has, and who may ask what."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pytest
import service_plant
from service_plant import ServicePlant

from plant.rows.tables_service import ROLES


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", "hdb", "processor") as plant:
        yield plant


def rows(service: ServicePlant, path: str, **parameters: Any) -> list[dict[str, Any]]:
    answer = service.get(path, "read", **parameters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def test_trades_of_a_symbol_are_those_of_the_plant(service: ServicePlant) -> None:
    found = rows(service, "/api/v1/trades", sym="AAPL")
    assert [row["price"] for row in found] == [190.0, 190.25, 190.5, 190.75]
    assert found[1]["time"] == "2026-11-20T14:30:20Z"
    assert [row["price"] for row in rows(service, "/api/v1/trades", sym="AAPL", where="price>190.25", last=1)] == [
        190.75
    ]


def test_pages_have_every_row_once_in_either_order_and_with_a_number_of_newest(service: ServicePlant) -> None:
    for order, newest in (("asc", None), ("desc", None), ("asc", 5), ("desc", 5)):
        parameters: dict[str, Any] = {"order": order, "columns": "time,trade_id"}
        parameters |= {} if newest is None else {"last": newest}
        whole = rows(service, "/api/v1/tables/trades", **parameters)
        assert len(whole) == (newest or 8)
        found, cursor, seq = [], None, None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            page = service.get("/api/v1/tables/trades", "read", limit=3, **parameters, **more).json()
            found += page["rows"]
            seq = page["seq"] if seq is None else seq
            assert page["seq"] == seq, "all pages are one cut"
            if (cursor := page["next"]) is None:
                break
        assert found == whole


def test_a_cursor_of_another_question_is_refused(service: ServicePlant) -> None:
    cursor = service.get("/api/v1/tables/trades", "read", limit=3).json()["next"]
    for path, parameters in (("trades", {"sym": "AAPL"}), ("quotes", {}), ("trades", {"cursor": "e30"})):
        answer = service.get(f"/api/v1/tables/{path}", "read", **{"limit": 3, "cursor": cursor, **parameters})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_what_came_after_the_first_page_or_a_seq_is_left_out(service: ServicePlant) -> None:
    first = service.get("/api/v1/tables/trades", "read", limit=5).json()
    with service.publisher("later") as feed:
        row = {"time": "2026-11-20T14:30:01Z", "sym": "IBM", "price": 1.0, "size": 1.0, "source": "later"}
        feed.publish("trades", row)
        seq = feed.flush()
    later = service.until(lambda: [r for r in rows(service, "/api/v1/trades") if r["sym"] == "IBM"])
    assert len(later) == 1
    second = service.get("/api/v1/tables/trades", "read", limit=5, cursor=first["next"]).json()
    assert len(first["rows"]) + len(second["rows"]) == 8
    before = service.get("/api/v1/trades", "read", as_of_seq=seq - 1).json()
    assert {r["sym"] for r in before["rows"]} == {"AAPL", "MSFT"}
    assert before["seq"] == seq - 1
    keyed = service.get("/api/v1/tables/bars", "read", as_of_seq=seq)
    assert (keyed.status_code, keyed.json()["code"]) == (422, "invalid")
    assert "end of a day" in keyed.json()["detail"]


def test_a_row_answer_in_every_form(service: ServicePlant) -> None:
    path, terms = "/api/v1/bars", {"sym": "AAPL", "last": 2}
    plain = rows(service, path, **terms)
    assert plain[0]["closed"] is True
    assert plain[0]["vwap"] is None
    columns = service.get(path, "read", layout="columns", times="ms", **terms).json()["columns"]
    assert columns["close"] == [row["close"] for row in plain]
    assert columns["time"] == [1795185240000, 1795185300000]
    assert service.get(path, "read", times="ns", **terms).json()["rows"][0]["time"] == "1795185240000000000"
    headers = service.headers("read")
    csv = service.client.get(path, params=terms, headers={**headers, "Accept": "text/csv"})
    assert csv.text.splitlines()[1].startswith('"2026-11-20T14:34:00Z","AAPL","1m",190.25,')
    assert int(csv.headers["X-Seq"]) > 0
    arrow = service.client.get(path, params=terms, headers={**headers, "Accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column("close").to_pylist() == columns["close"]
    assert int(table.schema.metadata[b"seq"]) > 0
    zipped = service.client.get("/api/v1/indicators", headers={**headers, "Accept-Encoding": "gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"


def test_bars_of_any_interval_and_indicators_of_any_kind_are_made(service: ServicePlant) -> None:
    three = rows(service, "/api/v1/bars", sym="AAPL", interval="3m")
    one = rows(service, "/api/v1/bars", sym="AAPL", interval="1Min")
    assert [row["close"] for row in three] == [one[2]["close"], one[5]["close"]]
    assert [row["volume"] for row in three] == [600.0, 1500.0]
    body = {"name": "sma", "parameters": {"period": 3}, "sym": "AAPL", "interval": "1m"}
    told = service.send("POST", "/api/v1/indicators/calculate", body, "read").json()
    means = told["outputs"]["sma"]
    assert means[:2] == [None, None]
    assert means[2] == pytest.approx(sum(row["close"] for row in one[:3]) / 3)
    given = {"name": "sma", "parameters": {"period": 3}, "bars": one}
    assert service.send("POST", "/api/v1/indicators/calculate", given, "read").json()["outputs"][
        "sma"
    ] == pytest.approx(means, nan_ok=True)
    wrong = service.send("POST", "/api/v1/indicators/calculate", {**body, "name": "smaa"}, "read").json()
    assert wrong["code"] == "invalid"
    assert "did you mean 'sma'" in wrong["detail"]


def test_a_viewport_is_one_cut(service: ServicePlant) -> None:
    found = service.get("/api/v1/viewport", "read", sym="AAPL", interval="1m").json()
    assert len(found["bars"]) == 6
    assert found.keys() >= {"annotations", "signals", "fills", "seq"}


def test_what_is_not_understood_is_refused_with_a_sentence(service: ServicePlant) -> None:
    for path, parameters, status, code in (
        ("bars", {"sym": "APPL"}, 404, "unknown_symbol"),
        ("bars", {"sym": "AAPL", "interval": "60"}, 422, "invalid"),
        ("bars", {"sym": "AAPL", "lst": 5}, 422, "invalid"),
        ("bars", {"sym": "AAPL", "last": -1}, 422, "invalid"),
        ("tables/nix", {}, 404, "unknown_table"),
        ("tables/trades", {"columns": "prise"}, 404, "unknown_column"),
        ("tables/trades", {"where": "price>cheap"}, 422, "invalid"),
        ("tables/trades", {"where": "price"}, 422, "invalid"),
        ("tables/trades", {"start": "2026-13-01"}, 422, "invalid"),
        ("nix", {}, 404, "unknown_route"),
    ):
        answer = service.get(f"/api/v1/{path}", "read", **parameters)  # type: ignore[arg-type]
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code), (path, parameters, problem)
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["X-Request-Id"] == problem["request_id"]
        assert problem["type"] == f"/errors/{code}"


def operations(service: ServicePlant) -> list[tuple[str, str, dict[str, Any]]]:
    document = service.get("/api/v1/openapi.json", "read").json()
    return [(m.upper(), path, told) for path, methods in document["paths"].items() for m, told in methods.items()]


def call(service: ServicePlant, method: str, path: str, told: dict[str, Any], role: str) -> Any:
    """Call a route with the least that it needs."""
    required = {p["name"]: "AAPL" for p in told.get("parameters", ()) if p.get("required") and p["in"] == "query"}
    place = path.replace("{table}", "trades")
    for name in ("id", "code", "sym", "interval"):
        place = place.replace(f"{{{name}}}", "none")
    if method == "GET":
        return service.get(place, role, **required)
    return service.send(method, place, {} if method != "DELETE" else None, role)


def test_every_route_is_called_with_each_role_and_with_none(service: ServicePlant) -> None:
    """Without a key, on loopback, one may what the role trade may, as far as it needs no key."""
    found = operations(service)
    assert len(found) > 20

    def call_all(role: str) -> None:
        for method, path, told in found:
            needed = told["x-role"]
            answer = call(service, method, path, told, role)
            allowed = needed == "none" or ROLES.index(role or "trade") >= ROLES.index(needed)
            refused = answer.status_code in (401, 403)
            assert refused != allowed, (method, path, role, answer.text)
            assert str(answer.status_code) in told["responses"], (method, path, role, answer.status_code)
            if not allowed:
                assert answer.json()["code"] == ("forbidden" if role else "unauthenticated")
                assert role or answer.headers["WWW-Authenticate"] == "Bearer"

    with ThreadPoolExecutor(4) as at_once:
        list(at_once.map(call_all, ("", *ROLES)))


def test_keys_and_the_audit_are_for_admins_at_every_door(service: ServicePlant) -> None:
    for role in ("", "read", "trade"):
        for table in ("api_keys", "audit"):
            assert service.get(f"/api/v1/tables/{table}", role).status_code == 403
            assert service.get("/api/v1/last", role, table=table).status_code == 403
            for sql in (f"select * from {table}", f'select * from "{table.upper()}"', f"select 1 -- {table}"):
                assert service.send("POST", "/api/v1/sql", {"sql": sql}, role).status_code == 403
        hidden = "select * from query('select * from api' || '_keys') where 'show' = 'show'"
        assert service.send("POST", "/api/v1/sql", {"sql": hidden}, role).status_code == 403
        hidden = "select * from query('select * from api' || '_keys')"
        assert service.send("POST", "/api/v1/sql", {"sql": hidden}, role).status_code == 422
    assert service.get("/api/v1/tables/audit", "admin").status_code == 200
    assert service.send("POST", "/api/v1/sql", {"sql": "select * from api_keys"}, "admin").status_code == 200


def test_a_key_is_told_once_and_revoked_at_once(service: ServicePlant) -> None:
    made = service.send("POST", "/api/v1/keys", {"name": "desk", "role": "read"}, "admin")
    assert made.status_code == 201
    key = made.json()
    headers = {"Authorization": f"Bearer {key['key']}"}
    service.until(lambda: service.client.get("/api/v1/tables", headers=headers).status_code == 200, "the new key")
    gone = service.send("DELETE", f"/api/v1/keys/{key['id']}", None, "admin")
    assert (gone.status_code, gone.json()["state"], gone.json()["version"]) == (200, "revoked", 2)
    began = time.monotonic()
    service.until(lambda: service.client.get("/api/v1/tables", headers=headers).status_code == 401, "the revocation")
    assert time.monotonic() - began < 1.0
    told = {each["id"]: each["state"] for each in service.get("/api/v1/keys", "admin").json()["keys"]}
    assert told[key["id"]] == "revoked"
    secret = key["key"][-43:]
    for found in (service.log("api"), service.get("/api/v1/audit", "admin").text):
        assert secret not in found
        assert key["key"][-20:] not in found


def test_a_change_is_in_the_audit_before_it_is_answered(service: ServicePlant) -> None:
    body = {"timeframes": ["2m"], "sym": "AAPL"}
    answer = service.send("POST", "/api/v1/charts/trigger", body, "trade", {"X-Request-Id": "mine-1"})
    assert answer.headers["X-Request-Id"] == "mine-1"
    newest = rows_of_audit(service)[-1]
    assert (newest["method"], newest["route"], newest["status"]) == ("POST", "/api/v1/charts/trigger", 200)
    assert json.loads(newest["body"]) == body
    assert json.loads(newest["answer"])["timeframes"] == ["2m"]
    refused = service.send("POST", "/api/v1/charts/trigger", body, "read")
    assert refused.status_code == 403
    assert rows_of_audit(service)[-1]["status"] == 403


def rows_of_audit(service: ServicePlant) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/api/v1/audit", "admin", last=20).json()["rows"]
    return found


def test_a_repeat_gets_the_first_answer_also_after_a_restart(service: ServicePlant) -> None:
    body, again = {"timeframes": ["5m"]}, {"Idempotency-Key": "again-1"}
    first = service.send("POST", "/api/v1/charts/trigger", body, "trade", again)
    count = len(rows_of_audit(service))
    second = service.send("POST", "/api/v1/charts/trigger", body, "trade", again)
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert second.headers["Idempotency-Replayed"] == "true"
    assert len(rows_of_audit(service)) == count, "nothing was done again"
    other = service.send("POST", "/api/v1/charts/trigger", {"timeframes": ["15m"]}, "trade", again)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    key = {"Idempotency-Key": "key-1"}
    made = service.send("POST", "/api/v1/keys", {"name": "once", "role": "read"}, "admin", key).json()
    service.restart("api")
    service.until(lambda: service.get("/api/v1/tables", "admin").status_code == 200, "the keys")
    third = service.send("POST", "/api/v1/charts/trigger", body, "trade", again)
    assert (third.status_code, third.json()) == (first.status_code, first.json())
    repeated = service.send("POST", "/api/v1/keys", {"name": "once", "role": "read"}, "admin", key)
    assert (repeated.status_code, repeated.json()["id"]) == (409, made["id"])
    assert made["key"] not in repeated.text


def test_where_keys_are_needed_nothing_but_health_answers_without(service: ServicePlant) -> None:
    found = operations(service)
    service.more = {"PLANT_API__AUTH": "keys", "PLANT_API__READ_PER_S": "2"}
    service.restart("api")
    try:
        service.until(lambda: service.get("/api/v1/tables", "admin").status_code == 200, "the keys")
        assert service.get("/health").status_code == 200
        for method, path, told in found:
            answer = call(service, method, path, told, "")
            assert (answer.status_code == 401) == (told["x-role"] != "none"), (method, path, answer.text)
        assert service.get("/api/v1/nix").status_code == 401
        answers = [service.get("/api/v1/tables", "read") for _ in range(12)]
        late = [each for each in answers if each.status_code == 429]
        assert late
        assert late[0].json()["code"] == "rate_limited"
        told = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
        assert all(name in late[0].headers for name in told)
        wrong = {"Authorization": f"Bearer tp_abc_{'x' * 43}"}
        statuses = [service.client.get("/api/v1/tables", headers=wrong).status_code for _ in range(8)]
        assert statuses == [401] * 5 + [429] * 3
        told_in = service.get("/api/v1/tables", "admin").status_code
        assert told_in == 200, "who has a key is not kept out by others"
    finally:
        service.more = {}
        service.restart("api")
        service.until(lambda: service.get("/api/v1/tables", "read").status_code == 200, "the keys")


def test_what_the_plant_found_and_somebody_deleted_stays_away(service: ServicePlant) -> None:
    """Also when bars come that would change it, and after the processor was killed."""
    day, hour = 86_400 * 10**9, 3600 * 10**9
    first = 1_795_132_800_000_000_000 // day * day
    date = time.strftime("%Y-%m-%d", time.gmtime(first // 10**9))

    def bars(start: int, *prices: float, interval: str = "1m") -> None:
        with service.publisher(f"levels-{interval}-{start}") as feed:
            for i, price in enumerate(prices):
                row = {"time": start + i * hour, "sym": "LVL", "interval": interval, "volume": 1.0, "source": "own"}
                row |= {"open": 11.0, "high": max(price, 11.0), "low": min(price, 11.0), "close": 11.0}
                feed.publish("bars", row | ({"high": 12.0, "low": 10.0} if interval == "1d" else {}))
            feed.flush()

    def found() -> dict[str, Any]:
        answer = service.get("/api/v1/annotations", "read", sym="LVL")
        assert answer.status_code == 200, answer.text
        rows = answer.json()["rows"]
        return {row["type"]: row for row in rows if row["id"].endswith(f"/{date}")}

    bars(first, 11.0, interval="1d")
    bars(first + day, 11.0)
    high = service.until(lambda: found().get("prev_day_high"), "the level")
    path, seen = f"/api/v1/annotations/{high['id']}", {"If-Match": f'"{high["version"]}"'}
    changed = service.send("PATCH", path, {"price": 1}, "trade", seen)
    assert (changed.status_code, changed.json()["code"]) == (409, "automatic")
    assert service.send("DELETE", path, None, "trade", seen).status_code == 200
    bars(first + day + 2 * hour, 12.0, 10.0, 11.0)  # touches both
    service.until(lambda: found()["prev_day_low"]["state"] == "tested", "the other level is tested")
    assert "prev_day_high" not in found()
    service.restart("processor")
    bars(first + day, 11.0, interval="1d")
    bars(first + 2 * day, 11.0)

    def next_level() -> bool:
        answer = service.get("/api/v1/annotations", "read", sym="LVL")
        assert answer.status_code == 200, answer.text
        rows = answer.json()["rows"]
        return any(row["type"] == "prev_day_high" and not row["id"].endswith(f"/{date}") for row in rows)

    service.until(next_level, "the level of the next day")
    assert "prev_day_high" not in found()
    events = service.get("/api/v1/annotations/events", "read", sym="LVL").json()["rows"]
    assert [row["action"] for row in events if row["id"] == high["id"]][-1] == "delete"


def test_without_a_plant_it_is_up_and_says_which_process_is_away(service: ServicePlant) -> None:
    for name in ("rdb", "tickerplant"):
        service.kill(name)
    service.until(lambda: service.get("/health").status_code == 503, "a health of down")
    assert service.get("/health").json()["status"] == "down"
    answer = service.get("/api/v1/bars", sym="AAPL")
    assert (answer.status_code, answer.json()["code"], answer.json()["process"]) == (503, "unavailable", "rdb")
    change = service.send("POST", "/api/v1/charts/trigger", {"timeframes": ["2m"]})
    assert (change.status_code, change.json()["code"]) == (503, "unavailable")
    service.start("tickerplant", "rdb")
    service.until(lambda: service.get("/api/v1/bars", sym="AAPL").status_code == 200, "the plant is back")
