"""Whether a process answers: asked where plant.toml says it is. `plant status` and the monitor ask in this way."""

import http
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from plant.errors import Unavailable
from plant.runtime.settings import Settings
from plant.transport.request import Requester

ANSWERING = ("tickerplant", "rdb", "processor", "hdb", "dashboard", "trading", "api")
"""The processes that can be asked; the others are known by their heartbeats alone."""

WARN_BEATS = 3
ERROR_BEATS = 10
"""A heartbeat missed so often in a row is late, or silent."""

PROBE_S = 1.0
"""Longest a process may take to answer."""

_ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_ANY_CERTIFICATE.check_hostname, _ANY_CERTIFICATE.verify_mode = False, ssl.CERT_NONE
"""A page's certificate is for those who come from elsewhere; here it is only asked whether it lives."""


def probe(name: str, settings: Settings) -> dict[str, Any]:
    """Return what one of ANSWERING says of itself, at least "state". Raises Unavailable after PROBE_S."""
    if name == "dashboard":
        _answers(f"{settings.dashboard_url}/_stcore/health")
        return {"state": settings.dashboard_url}
    if name == "api":
        _answers(f"{settings.api.url}/health", {"Host": settings.api.hosts[0]} if settings.api.hosts else {})
        return {"state": settings.api.url}
    port = settings.tickerplant.journal_port if name == "tickerplant" else getattr(settings, name).port
    requester = Requester(settings.address(port), name, PROBE_S)
    try:
        return requester.status()
    finally:
        requester.close()


def _answers(url: str, headers: Mapping[str, str] = MappingProxyType({})) -> None:
    """Raise Unavailable if nobody answers there. One that says what it lacks (503) does."""
    request = urllib.request.Request(url, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=PROBE_S, context=_ANY_CERTIFICATE):
            return
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.SERVICE_UNAVAILABLE:
            raise Unavailable(f"{url}: {error}") from None
    except (urllib.error.URLError, OSError) as error:
        raise Unavailable(f"{url}: {error}") from None
