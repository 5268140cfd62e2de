"""A strategy that is given as Python source: what its class is, told by a process of its own."""

import asyncio
import json
import os
import sys
from typing import Any

from api.answers.problems import Problem, invalid
from plant.runtime.settings import Settings

DESCRIBE_S = 30.0
"""Longest a source may take until it is known what it is."""

MODULE = "trading.workers.describing"

_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR")
"""What of our environment it is given: no key of a broker or a venue is among that."""


async def described_source(settings: Settings, class_name: str, definition: dict[str, Any]) -> dict[str, Any]:
    """Return name, doc, parameters (JSON schema), code_sha and error of a class, "" if it can be used.

    The source is run by a process without our environment, bounded in memory and time as a backtest is. Raises Problem
    invalid for a source that does not come to an end, unavailable if there is nothing to run it.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"PLANT_CONFIG": str(settings.file)} if settings.file.is_file() else {}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", MODULE),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=settings.file.parent,
    )
    asked = json.dumps({"class_name": class_name, "definition": definition}).encode()
    try:
        out, err = await asyncio.wait_for(process.communicate(asked), DESCRIBE_S)
    except TimeoutError:
        raise invalid("$.python", f"it does not come to an end within {DESCRIBE_S:g} s when it is imported") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found: dict[str, Any] = json.loads(out)
    except ValueError:
        last = err.decode(errors="replace").strip().rpartition("\n")[2][:300]
        if process.returncode and process.returncode < 0:
            raise invalid("$.python", "its process was ended: it takes too much memory or time") from None
        raise Problem("unavailable", f"nobody can tell what the source is: {last}", process="trading") from None
    return found
