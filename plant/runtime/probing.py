"""Whether a process answers: asked where plant.toml says it is. `plant status` and the monitor ask in this way."""

import ssl
import urllib.error
import urllib.request
from typing import Any

from plant.errors import Unavailable
from plant.runtime.settings import Settings
from plant.transport.request import Requester

ANSWERING = ("tickerplant", "rdb", "processor", "hdb", "dashboard", "trading")
"""The processes that can be asked; the others are known by their heartbeats alone."""

WARN_BEATS = 3
ERROR_BEATS = 10
"""A heartbeat missed so often in a row is late, or silent."""

PROBE_S = 1.0
"""Longest a process may take to answer."""

_ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ANY_CERTIFICATE.check_hostname, _ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE
"""The dashboard's certificate is for those who come from elsewhere; here it is only asked whether it lives."""


def probe(name: str, settings: Settings) -> dict[str, Any]:
    """Return what one of ANSWERING says of itself, at least "state". Raises Unavailable after PROBE_S."""
    if name == "dashboard":
        url = f"{settings.dashboard_url}/_stcore/health"
        try:
            with urllib.request.urlopen(url, timeout=PROBE_S, context=_ANY_CERTIFICATE) as answer:
                return {"state": settings.dashboard_url if answer.status == 200 else "?"}
        except (urllib.error.URLError, OSError) as error:
            raise Unavailable(f"{url}: {error}") from None
    port = settings.tickerplant.journal_port if name == "tickerplant" else getattr(settings, name).port
    requester = Requester(settings.address(port), name, PROBE_S)
    try:
        return requester.status()
    finally:
        requester.close()
