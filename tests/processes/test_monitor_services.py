"""Addresses of services: filled in from the environment, shown without secrets, refused with a sentence."""

import sys
from collections.abc import Iterator

import pytest
from alert_server import AlertServer

from monitor.services import Service
from monitor.told import Alert
from plant.errors import SettingsError

HUSH = {"ALERT_TOKEN": "hush%2F4711", "ALERT_URL": "json://me:hush4711@127.0.0.1/x?rto=9"}


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("json://127.0.0.1:9000/hook", "json://127.0.0.1:9000/hook"),
        ("json://me:${ALERT_TOKEN}@127.0.0.1/${ALERT_TOKEN}?x=y", "json://me:${ALERT_TOKEN}@127.0.0.1/${ALERT_TOKEN}"),
        ("json://me:written@127.0.0.1/${ALERT_TOKEN}", "json://me:***@127.0.0.1/${ALERT_TOKEN}"),
        ("json://me:written@127.0.0.1/hook?+Authorization=written", "json://me:***@127.0.0.1/hook"),
        ("${ALERT_URL}", "${ALERT_URL}"),
        ("tgram://123456789:abcdefg_hijklmnop/12315544/", "tgram://1...p/12315544"),
    ],
)
def test_an_address_is_shown_without_secrets(to: str, name: str) -> None:
    assert Service(to, "plant.toml", HUSH).name.rstrip("/") == name


def test_a_variable_that_is_not_there_and_an_address_nobody_knows_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"plant.toml, alerts.0.to: the environment has no ALERT_TOKEN, which it"):
        Service("json://${ALERT_TOKEN}@x", "plant.toml, alerts.0.to", {})
    for to in ("nothing://${ALERT_TOKEN}", "${ALERT_TOKEN}", "tgram://hush"):
        with pytest.raises(SettingsError, match=r"Apprise cannot use .*; expected an address of a service") as refused:
            Service(to, "plant.toml", HUSH)
        assert "4711" not in str(refused.value)


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"pip install 'tickplant\[alerts\]', or remove \[\[alerts\]\]"):
        Service("json://x", "plant.toml")


@pytest.fixture
def server() -> Iterator[AlertServer]:
    with AlertServer() as running:
        yield running


def alert(detail: str = "rdb is down | no answer", held_back: int = 0) -> Alert:
    return Alert(1, "rdb", "process_down", "a", held_back, detail)


def test_it_sends_what_it_is_about_the_rest_and_how_many_were_held_back(server: AlertServer) -> None:
    service = Service(f"{server.address}/hook", "plant.toml")
    assert service.send(alert()).sent
    assert service.send(alert("over: rdb is down | it answers again", 2)).sent
    assert [(a["title"], a["message"], a["type"]) for a in server.received] == [
        ("rdb is down", "no answer", "warning"),
        ("over: rdb is down", "it answers again\n(2 more were held back since the one before)", "success"),
    ]


def test_a_failure_is_told_without_secrets(server: AlertServer) -> None:
    server.status = 503
    where = f"json://me:${{ALERT_TOKEN}}@127.0.0.1:{server.port}/${{ALERT_TOKEN}}"
    outcome = Service(where, "plant.toml", HUSH).send(alert())
    assert (outcome.sent, "503" in outcome.why, "4711" in outcome.why) == (False, True, False)
    assert "4711" in server.paths[0]
    gone = Service("json://${ALERT_HOST}:9/x", "plant.toml", {"ALERT_HOST": "nobody4711.invalid"}).send(alert())
    assert (gone.sent, "4711" in gone.why) == (False, False)
    assert gone.why
