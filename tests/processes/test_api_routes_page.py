"""The page's files: what of them is served and how, that they name no other host, and its own logic, run by node."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from chance import SEED
from fastapi import FastAPI

from api.routes.page import FOLDER, POLICY, page_files, page_router

ROOT = Path(__file__).parents[2]
VENDORED = "vendor/lightweight-charts.mjs"
ALLOWED = {"https://www.tradingview.com/", "http://www.w3.org/2000/svg"}
"""A link that a licence asks for, and the name of a namespace: neither is asked for anything."""

MARKUP = r"\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function"
"""Ways by which what the service sends could become markup or code."""


Get = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def get() -> Get:
    app = FastAPI()
    app.include_router(page_router())

    def get(path: str, **options: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plant") as client:
                return await client.get(path, **options)

        return asyncio.run(asked())

    return get


def test_the_page_is_served_with_a_policy_that_lets_nothing_of_others_in(get: Get) -> None:
    answer = get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == POLICY
    assert "default-src 'self'" in POLICY
    assert "unsafe" not in POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_file_that_did_not_change_is_not_sent_again(get: Get) -> None:
    first = get("/page/main.js")
    assert first.headers["content-type"] == "text/javascript; charset=utf-8"
    again = get("/page/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = get("/page/main.js", headers={"If-None-Match": '"another"'})
    assert other.content == first.content


@pytest.mark.parametrize(
    "path",
    ["/page/../routes/page.py", "/page/%2e%2e/routes/page.py", "/page//etc/passwd", "/page/", "/page/nothing.js"],
)
def test_no_path_leads_out_of_the_folder(get: Get, path: str) -> None:
    assert get(path).status_code == 404


def test_every_file_that_one_of_them_names_is_there() -> None:
    files = page_files()
    html = files["index.html"].body.decode()
    named = {path.removeprefix("/page/") for path in re.findall(r'(?:href|src)="(/page/[^"]+)"', html)}
    assert {"main.js", "style/tokens.css"} <= named
    for name, file in files.items():
        if name.endswith(".js"):
            for found in re.findall(r'^(?:import|export) .*?from "(\.[^"]+)"$', file.body.decode(), re.MULTILINE):
                named.add((FOLDER / name).parent.joinpath(found).resolve().relative_to(FOLDER.resolve()).as_posix())
    assert named <= files.keys(), sorted(named - files.keys())
    unused = {name for name in files if name.endswith((".js", ".mjs", ".css"))} - named
    assert not unused, f"no file names {sorted(unused)}"


def test_our_files_name_no_other_host_and_hold_no_inline_script_or_style() -> None:
    for name, file in page_files().items():
        if name == VENDORED or name.endswith(".txt"):
            continue
        text = file.body.decode()
        assert set(re.findall(r"(?:https?|wss?)://[^\s\"'`<>)]+", text)) <= ALLOWED, name
        assert not re.search(
            r"\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(|new Function", text
        ), name
    html = page_files()["index.html"].body.decode()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)", html)


def test_the_notice_that_the_licence_asks_for_stands_on_the_page() -> None:
    notice = (FOLDER / "vendor/lightweight-charts.NOTICE.txt").read_text()
    html = " ".join((FOLDER / "index.html").read_text().split())
    copyright_line = notice.splitlines()[1].removesuffix(" https://www.tradingview.com/")
    assert copyright_line in html
    assert 'href="https://www.tradingview.com/"' in html
    assert "Apache License" in (FOLDER / "vendor/lightweight-charts.LICENSE.txt").read_text()


def test_the_files_of_the_page_stay_small() -> None:
    long = {name: text.count("\n") for name, file in page_files().items() if name != VENDORED
            if not name.endswith(".txt") and (text := file.body.decode()).count("\n") > 350}  # fmt: skip
    assert not long


def test_the_manual_lists_the_keys_that_the_page_knows() -> None:
    source = (FOLDER / "panels/shortcuts.js").read_text()
    listed = re.findall(r'^\s*\["(.+?)", "', source, re.MULTILINE)
    manual = (ROOT / "docs/page.md").read_text()
    assert len(listed) > 20
    assert not [key for key in listed if f"`{key}`" not in manual]


def test_the_logic_of_the_page_holds() -> None:
    """tests/processes/page/*.test.mjs: times, numbers, folds, geometry, the ticket, and the stream cut at random."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on the path, which tests the page's JavaScript: node 20 or newer")
    environment = {"PATH": "/usr/bin:/bin", "TICKPLANT_SEED": str(SEED)}
    files = sorted(map(str, (ROOT / "tests/processes/page").glob("*.test.mjs")))
    done = subprocess.run(
        [node, "--test", *files], capture_output=True, text=True, timeout=110, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"^# pass [1-9]\d", done.stdout, re.MULTILINE), "no test was found"
