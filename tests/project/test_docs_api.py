"""docs/api.md is true: each curl line is answered as it says, it has every route and code. So is the example."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import service_plant
from service_plant import ServicePlant

from api.answers.problems import CODES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/api.md").read_text()
OF_TRADING = (ROOT / "docs/api-trading.md").read_text()
LINES = re.findall(r"^(curl .*?)(?: # (\d{3}))?$", PAGE, re.MULTILINE)

SHOWN_ELSEWHERE = {"/api/v1/ws", "/api/v1/events"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServicePlant]:
    with service_plant.started(tmp_path_factory.mktemp("service") / "plant", "hdb", "processor") as plant:
        yield plant


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_every_curl_line_is_answered_as_the_page_says(service: ServicePlant) -> None:
    assert len(LINES) > 20
    for line, status in LINES:
        told = line.replace("http://127.0.0.1:8000", service.url).replace("$KEY", service.keys["admin"])
        command = [*shlex.split(told), "--silent", "--show-error", "--noproxy", "*", "-w", "\n%{http_code}"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        assert found.rpartition("\n")[2] == (status or "200"), f"{line}\n{found[:1000]}"


def test_the_page_has_every_route_and_code(service: ServicePlant) -> None:
    for path in service.get("/api/v1/openapi.json").json()["paths"]:
        short = path.removeprefix("/api/v1")
        told = any(path in page or f"`{short}`" in page for page in (PAGE, OF_TRADING))
        assert told or path in SHOWN_ELSEWHERE, f"docs/api.md leaves out {path}"
    for code in CODES:
        assert f"`{code}`" in PAGE, f"docs/api.md leaves out {code}"


def test_the_client_in_python_reads_what_there_is(service: ServicePlant) -> None:
    command = [sys.executable, str(ROOT / "examples/api_client.py"), "AAPL", service.url, service.keys["read"]]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert len(found) == 6
    assert found[0] == "2026-11-20T14:30:00Z 190.25 100.0"
