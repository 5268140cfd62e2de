"""Which hosts and pages a request may come from: against DNS rebinding, and pages of others on the same machine."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from api.answers.problems import Problem
from plant.runtime.service import ApiSettings


class Origins:
    """Looks at the headers Host and Origin."""

    def __init__(self, settings: ApiSettings) -> None:
        self._hosts = frozenset(settings.hosts)
        self._origins = frozenset(settings.origins)

    def check_host(self, headers: Mapping[str, str]) -> None:
        """Raise Problem origin_refused for a Host that is none of ours: a name that somebody else made point here."""
        host = headers.get("host", "")
        if host_name(host) not in self._hosts:
            raise Problem(
                "origin_refused",
                "this service is not called so; [api] hosts in plant.toml names what it may be called",
                found=host[:200],
                expected=sorted(self._hosts),
            )

    def check_origin(self, headers: Mapping[str, str]) -> None:
        """Raise Problem origin_refused for a page that is neither ours nor one of `origins`; no Origin is no page."""
        origin = headers.get("origin")
        if origin is None or self.allows(origin, headers.get("host", "")):
            return
        raise Problem(
            "origin_refused",
            "a page of another host may not do this; [api] origins in plant.toml names those that may",
            found=origin[:200],
        )

    def allows(self, origin: str, host: str) -> bool:
        """Return whether a page of an origin may use this service, which it called by `host`."""
        if origin.lower() in self._origins:
            return True
        try:
            found = urlsplit(origin.lower())
        except ValueError:
            return False
        return found.scheme in ("http", "https") and found.netloc == host.lower() and bool(host)


def host_name(host: str) -> str:
    """Return the name in a Host header, without its port.

    >>> [host_name(each) for each in ("LOCALHOST:8000", "[::1]:8000", "evil.example", "")]
    ['localhost', '[::1]', 'evil.example', '']
    """
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
