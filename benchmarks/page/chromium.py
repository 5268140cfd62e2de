"""The dashboard's page in headless Chromium, and what the browser itself tells of a refresh."""

import base64
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
READY_S = 60
REVISION = "document.querySelector('.tp-chart')?.dataset.revision"
SCRIPT = """
import streamlit as st

from benchmarks.page.ticking import Ticking
from dashboard.app import main
from dashboard.refresh import beat

if __name__ == "page":
    app = st.App("page.py", routes=beat.routes())


@st.cache_resource
def connections():
    return Ticking({symbols}).connections({refresh_s})


if __name__ == "__main__":
    main(connections())
"""


@dataclass(frozen=True)
class Refresh:
    """What came and what it cost from one drawing of the chart to the next one.

    received   what it was -> bytes of the frames of the WebSocket, "beat": those over HTTP
    busy_s     CPU seconds of the browser's main thread; script_s those of its scripts
    """

    received: Counter[str]
    busy_s: float
    script_s: float


class Page:
    """An open page, all layers switched on."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._tools = page.context.new_cdp_session(page)
        self._frames: list[str] = []
        self._loaded: list[int] = []  # bytes of each answer over HTTP, its head included
        self._metrics: dict[str, float] = {}
        self._tools.send("Network.enable")
        self._tools.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._tools.on("Network.webSocketFrameReceived", lambda event: self._frames.append(_payload(event)))
        self._tools.on("Network.loadingFinished", lambda event: self._loaded.append(int(event["encodedDataLength"])))

    def open(self, address: str) -> int:
        """Load the page, switch on the layer that is off at first; return the bytes received until the chart stood."""
        self._page.goto(address)
        self._page.wait_for_selector(".tp-chart[data-revision]", timeout=READY_S * 1000)
        first = sum(_bytes_by_kind(self._frames).values())
        self._page.get_by_text("EMA 20", exact=True).first.click()
        shown = "document.querySelector('.tp-graph').data?.some((trace) => trace.uid === 'ema_20')"
        self._page.wait_for_function(shown, timeout=READY_S * 1000)
        return first

    def refresh(self) -> Refresh:
        """Wait until the chart is drawn anew, and return what that was since the last time this was called."""
        before, newer = self._page.evaluate(REVISION), f"(before) => {REVISION} !== before"
        # Not at every frame, as is the default: that would be a good part of what is measured.
        self._page.wait_for_function(newer, arg=before, timeout=READY_S * 1000, polling=250)
        self._page.wait_for_timeout(300)  # what follows the chart: tables, tabs
        frames, self._frames = self._frames, []
        loaded, self._loaded = self._loaded, []
        now = {found["name"]: found["value"] for found in self._tools.send("Performance.getMetrics")["metrics"]}
        then, self._metrics = self._metrics or now, now
        busy, script = (now[name] - then[name] for name in ("TaskDuration", "ScriptDuration"))
        received = _bytes_by_kind(frames)
        received["beat"] += sum(loaded)
        return Refresh(received, busy, script)


@contextmanager
def opened(symbols: int, refresh_s: float) -> Iterator[tuple[Page, str]]:
    """Serve the page over so many symbols, and give a browser's page and the address to open in it."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        _served(Path(folder), symbols, refresh_s) as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield Page(browser.new_page(viewport={"width": 1400, "height": 1000})), address
        finally:
            browser.close()


@contextmanager
def _served(folder: Path, symbols: int, refresh_s: float) -> Iterator[str]:
    (folder / "page.py").write_text(SCRIPT.format(symbols=symbols, refresh_s=refresh_s))
    shutil.copytree(ROOT / "dashboard" / ".streamlit", folder / ".streamlit")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "page.py", f"--server.port={port}"]
    environment = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "PATH": "/usr/bin:/bin"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _until_served(port, server, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait(10)


def _until_served(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the page is not served on port {port}; its log:\n{log.read_text()}")


def _payload(event: dict[str, Any]) -> str:
    return str(event["response"]["payloadData"])


def _bytes_by_kind(frames: list[str]) -> Counter[str]:
    """Return what the frames brought -> bytes: a component by its name, others by their kind, "run" the rest."""
    found: Counter[str] = Counter()
    for frame in frames:
        raw = base64.b64decode(frame)
        message = ForwardMsg.FromString(raw)
        kind = "run"
        if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            kind = str(element.WhichOneof("type"))
            if kind == "bidi_component":
                kind = element.bidi_component.component_name.rpartition(".")[2]
        found[kind] += len(raw)
    return found
