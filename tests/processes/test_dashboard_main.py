"""Who can open the page: only this machine, unless there is a login and TLS, or a proxy that has both."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import streamlit as st
from running import free_ports
from streamlit import config
from streamlit.testing.v1 import AppTest

import dashboard
from plant.runtime.settings import load
from plant.transport.keys import make_keys

APP = Path(dashboard.__file__).with_name("app.py")


def own_address() -> str:
    """Return an address of this machine that other machines may reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks for the route
        except OSError:
            pytest.skip("this machine has only its loopback address")
        found: str = probe.getsockname()[0]
    if found.startswith("127."):
        pytest.skip("this machine has only its loopback address")
    return found


def settings_file(folder: Path, host: str, more: str = "") -> tuple[Path, int]:
    make_keys(folder / "keys")
    (port,) = free_ports(1)
    file = folder / "plant.toml"
    file.write_text(f'[plant]\nhost = "{host}"\nkeys = "keys"\n[dashboard]\nport = {port}\n{more}')
    return file, port


@contextmanager
def served(file: Path, address: str, port: int) -> Iterator[str]:
    """Run the dashboard until it answers at `address`; give what it has printed."""
    log = file.with_name("log")
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "dashboard"],
            cwd=file.parent,
            env={**os.environ, "PLANT_CONFIG": str(file), "HOME": str(file.parent)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + 40
        while not answers(address, port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield log.read_text()
    finally:
        server.kill()
        server.wait(10)


def answers(address: str, port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_with_keys_and_another_host_the_page_stays_on_loopback_and_says_so(tmp_path: Path) -> None:
    outside = own_address()
    file, port = settings_file(tmp_path, outside)
    assert load(file).dashboard_url == f"http://127.0.0.1:{port}"
    with served(file, "127.0.0.1", port) as printed:
        assert not answers(outside, port)
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((outside, port), timeout=2)
    assert f"on 127.0.0.1 only, although [plant] host is {outside}: the page has no login and no TLS" in printed


def test_behind_a_proxy_it_is_served_at_the_plants_host(tmp_path: Path) -> None:
    outside = own_address()
    file, port = settings_file(tmp_path, outside, "behind_proxy = true\n")
    with served(file, outside, port) as printed:
        assert "127.0.0.1 only" not in printed


@pytest.mark.parametrize(
    ("more", "host"),
    [
        ("", "127.0.0.1"),
        ("login = true\n", "127.0.0.1"),
        ('certificate = "a.pem"\ncertificate_key = "a.key"\n', "127.0.0.1"),
        ('login = true\ncertificate = "a.pem"\ncertificate_key = "a.key"\n', "192.0.2.7"),
        ("behind_proxy = true\n", "192.0.2.7"),
    ],
)
def test_it_leaves_loopback_only_with_login_and_tls_or_a_proxy(tmp_path: Path, more: str, host: str) -> None:
    file, _ = settings_file(tmp_path, "192.0.2.7", more)
    assert load(file).dashboard_host == host


def test_another_loopback_address_is_used_as_it_is(tmp_path: Path) -> None:
    file, _ = settings_file(tmp_path, "127.0.0.2")
    assert load(file).dashboard_host == "127.0.0.2"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("login = true\n", "login = true, but there is no [auth] in"),
        ('certificate = "a.pem"\ncertificate_key = "a.key"\n', "[dashboard] certificate: no file"),
        ('certificate = "a.pem"\n', "certificate and certificate_key belong together"),
    ],
)
def test_a_door_that_is_promised_but_not_there_keeps_it_from_starting(tmp_path: Path, more: str, sentence: str) -> None:
    file, _ = settings_file(tmp_path, "127.0.0.1", more)
    environment = {**os.environ, "PLANT_CONFIG": str(file), "HOME": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-m", "dashboard"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 78
    assert sentence in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", None])
def test_streamlit_run_by_hand_on_an_open_address_shows_no_data(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    before = config.get_option("server.address")
    config.set_option("server.address", address)
    st.cache_resource.clear()
    try:
        at = AppTest.from_file(str(APP), default_timeout=30).run()
    finally:
        config.set_option("server.address", before)
    assert not at.exception
    assert "no login and no TLS" in at.error[0].value
    assert not at.markdown


def test_with_login_a_visitor_sees_a_button_and_no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANT_DASHBOARD__LOGIN", "true")
    before = config.get_option("server.address")
    config.set_option("server.address", "127.0.0.1")
    st.cache_resource.clear()
    try:
        at = AppTest.from_file(str(APP), default_timeout=30).run()
    finally:
        config.set_option("server.address", before)
    assert not at.exception
    assert [button.label for button in at.button] == ["Log in"]
    assert [text.value for text in at.markdown] == ["#### tickplant"]
