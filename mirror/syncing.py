"""Whether the servers sync what they acknowledge: asked of their monitoring addresses (/varz).

A server that does not (the default: every two minutes) loses acknowledged messages in a power cut
(https://github.com/nats-io/nats-server/issues/7564).
"""

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from plant.errors import SettingsError

ANSWER_S = 1.0
"""Longest a server may take to say."""

NOT_CHECKED = "not checked whether the servers sync: set [mirror] monitor"


def unchecked(monitors: Sequence[str]) -> str:
    """Return what is not known of the servers, "" if all of them sync.

    Raises SettingsError for one that answers and does not.
    """
    if not monitors:
        return NOT_CHECKED
    silent = []
    for address in monitors:
        try:
            says = _varz(address)
        except (OSError, ValueError) as error:
            silent.append(f"{address} ({getattr(error, 'reason', None) or error})")
            continue
        config = (says.get("jetstream") or {}).get("config") or {}
        if config.get("sync_always") is not True:
            name = says.get("server_name", "?")
            raise SettingsError(
                f"the server {name} at {address} does not sync what it acknowledges, so a power cut loses it: set "
                "sync_interval: always in the section jetstream of its configuration, and start it again"
                if config
                else f"the server {name} at {address} has no JetStream: set jetstream in its configuration"
            )
    return f"not checked whether these sync: {', '.join(silent)}" if silent else ""


def _varz(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{address.rstrip('/')}/varz", timeout=ANSWER_S) as answer:
        found = json.load(answer)
    if not isinstance(found, dict):
        raise ValueError("it answers otherwise than a server of NATS")
    return found
