"""The page at `/` and its files: plain files of the package, read once at start, served without a key.

There is nothing in them that anybody may not see; all that the page shows it asks the other routes for, with the key
that a person pastes. Names are looked up among the files that were found, so no path leads out of the folder.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

FOLDER = Path(__file__).parents[1] / "page"

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:"
)
"""No script, style, font or connection of another host, nor any that stands in the page itself."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""Suffixes of files that are served, and the media type of each."""


@dataclass(frozen=True)
class PageFile:
    """One file of the page: its bytes, their media type, and what they are known by."""

    body: bytes
    media_type: str
    etag: str


def page_files(folder: Path = FOLDER) -> dict[str, PageFile]:
    """Return the files of the page by their path below it, e.g. `model/stream.js`; others than of TYPES stay out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in TYPES:
            body = path.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            found[path.relative_to(folder).as_posix()] = PageFile(body, TYPES[path.suffix], etag)
    return found


def page_router(folder: Path = FOLDER) -> APIRouter:
    """Return the routes `/` and `/page/{name}`; they are not part of OpenAPI, which is of the service's data."""
    router = APIRouter(include_in_schema=False)
    files = page_files(folder)

    def answer(name: str, request: Request) -> Response:
        found = files.get(name)
        if found is None:
            return Response("The page has no such file.\n", 404, media_type="text/plain")
        headers = {
            "ETag": found.etag,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.body, headers=headers, media_type=found.media_type)

    @router.get("/")
    def page(request: Request) -> Response:
        """Return the page."""
        return answer("index.html", request)

    @router.get("/page/{name:path}")
    def page_file(name: str, request: Request) -> Response:
        """Return a file of the page."""
        return answer(name, request)

    return router


router = page_router()
"""The routes of the page that is installed."""
