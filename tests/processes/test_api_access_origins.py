"""Hosts and pages that may use the service, tickets, and where it may be open."""

import pytest

from api.access.caller import Caller
from api.access.origins import Origins
from api.access.tickets import TICKET_S, Tickets
from api.answers.problems import Problem
from plant.errors import SettingsError
from plant.runtime.service import ApiSettings

ORIGINS = Origins(ApiSettings(origins=("https://Desk.example/",), hosts=("127.0.0.1", "localhost", "[::1]")))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "LOCALHOST:8000", "[::1]:8000", "[::1]"])
def test_a_host_of_ours_may_be_called(host: str) -> None:
    ORIGINS.check_host({"host": host})


@pytest.mark.parametrize("host", ["", "evil", "127.0.0.1.evil", "127.0.0.1@evil", "[::2]:80", "localhost.", "0.0.0.0"])
def test_another_host_is_refused(host: str) -> None:
    with pytest.raises(Problem, match="not called so"):
        ORIGINS.check_host({"host": host})


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://127.0.0.1:8000", True),
        ("HTTPS://desk.EXAMPLE", True),
        ("http://desk.example", False),
        ("http://127.0.0.1:8001", False),
        ("http://localhost:8000", False),
        ("null", False),
        ("file://", False),
        ("http://127.0.0.1:8000.evil.example", False),
        ("http://[", False),
    ],
)
def test_a_page_of_ours_or_one_that_is_named_may(origin: str | None, allowed: bool) -> None:
    headers = {"host": "127.0.0.1:8000"} | ({} if origin is None else {"origin": origin})
    if allowed:
        ORIGINS.check_origin(headers)
    else:
        with pytest.raises(Problem, match="page of another host"):
            ORIGINS.check_origin(headers)


def test_a_ticket_is_for_one_use_and_a_short_while() -> None:
    tickets, caller = Tickets(), Caller("key", "read", "desk", "127.0.0.1")
    first, late = tickets.give(caller, 0.0), tickets.give(caller, 0.0)
    assert first != late
    assert tickets.use(first, 1.0) == caller
    assert tickets.use(first, 1.0) is None
    assert tickets.use(late, TICKET_S) is None
    assert tickets.use("none", 0.0) is None


@pytest.mark.parametrize(
    ("terms", "lacking"),
    [
        ({}, ["auth", "tls_cert"]),
        ({"auth": "keys"}, ["tls_cert"]),
        ({"proxy": True}, ["auth"]),
        ({"tls_cert": "a", "tls_key": "b"}, ["auth"]),
        ({"auth": "keys", "proxy": True}, []),
        ({"auth": "keys", "tls_cert": "a", "tls_key": "b"}, []),
    ],
)
def test_a_host_open_to_others_needs_keys_and_tls(terms: dict[str, str], lacking: list[str]) -> None:
    ApiSettings(**terms).check_exposure()  # type: ignore[arg-type]
    settings = ApiSettings(host="0.0.0.0", **terms)  # type: ignore[arg-type]
    if not lacking:
        settings.check_exposure()
        return
    with pytest.raises(SettingsError) as refused:
        settings.check_exposure()
    assert all(name in str(refused.value) for name in lacking)
    assert ('auth = "keys"' in str(refused.value)) == ("auth" in lacking)
