"""The page's own look at how the processes are, beside Streamlit: a fragment run anew every second costs the browser
more than all that changes on the chart.

The page asks PATH every second and is told a few letters, which are others when a process is another way; only then it
has Streamlit draw the badges. They tell a stranger nothing. `streamlit run dashboard/app.py` finds `app` there and
serves it; of a script of one's own that calls `main` without, the badges are drawn every second.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dashboard.pulse import Look, Pulse

PATH = "/beat"
_watched: list[Pulse] = []  # of the page that this process serves


def watch(pulse: Pulse) -> None:
    """Answer from now on by this pulse."""
    _watched[:] = [pulse]


def letters(looks: Mapping[str, Look]) -> str:
    """Return a few letters that are the same as long as every process is the way it is.

    >>> letters({"rdb": Look("ok")}) == letters({"rdb": Look("ok")}) != letters({"rdb": Look(error="gone", since=1.0)})
    True
    """
    ways = [f"{name}={look.state if not look.error else 'down'}" for name, look in sorted(looks.items())]
    return hashlib.blake2b("\n".join(ways).encode(), digest_size=4).hexdigest()


def routes() -> list[Route]:
    """Return what is served beside the page, for `st.App`."""
    return [Route(PATH, _beat)]


def _beat(request: Request) -> Response:
    """Answer in a thread of its own: the first look waits for the processes."""
    if not _watched:
        return PlainTextResponse("no page yet", status_code=503)
    return PlainTextResponse(letters(_watched[0].looks()), headers={"Cache-Control": "no-store"})
