"""Where alerts go: an address of Apprise's, with the secrets that the environment has for it."""

import logging
import os
import re
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from monitor.causes import BETWEEN, OVER, read_back
from monitor.told import Alert
from plant.errors import SettingsError
from plant.runtime.alerting import EVENTS, VARIABLE
from plant.transport.secret import REDACTED, Secret

DEADLINE_S = 30.0
"""Longest an attempt may take; nobody knows then what has become of it."""

_PASSWORD = re.compile(r"(?<=://)([^/@:]*):([^/@]*)@")


class Outcome(NamedTuple):
    """What a service did with an alert: took it, or why not."""

    sent: bool
    why: str = ""


class Service:
    """One address. Raises SettingsError if Apprise is missing, cannot use it, or a variable is not there.

    name     the address as it stands in plant.toml, ${NAME} and all, without what else may be secret in it
    where    names its place in plant.toml, for errors
    """

    def __init__(self, to: str, where: str, environment: Mapping[str, str] = os.environ) -> None:
        apprise = _imported(where)
        missing = [name for name in VARIABLE.findall(to) if not environment.get(name)]
        if missing:
            raise SettingsError(
                f"{where}: the environment has no {missing[0]}, which it names; set it where the plant is started "
                "(`plant up`), or correct the name"
            )
        values = [environment[name] for name in VARIABLE.findall(to)]
        self._secrets = [Secret(form) for value in values for form in {value, unquote(value)}]
        self._apprise = apprise.Apprise(asset=_asset(apprise))
        with warnings.catch_warnings():  # it imports its plugins with the first address, some of them old modules
            warnings.simplefilter("ignore", DeprecationWarning)
            found = apprise.Apprise.instantiate(
                VARIABLE.sub(lambda match: environment[match[1]], to), asset=self._apprise.asset
            )
        self.name = _shown(to, found)
        if found is None:
            raise SettingsError(
                f"{where}: Apprise cannot use {self.name}; expected an address of a service that it knows, complete "
                "(https://github.com/caronc/apprise/wiki lists them), with a secret's special characters as %XX"
            )
        if "rto=" not in to:
            found.socket_read_timeout = DEADLINE_S + 5  # who does not answer may have it: the deadline counts
        self._secrets += [Secret(found.password)] if getattr(found, "password", None) else []
        self._apprise.add(found)
        self._types = apprise.NotifyType

    def send(self, alert: Alert) -> Outcome:
        """Hand an alert to the service; waits for its answer. Whatever goes wrong is told in the outcome."""
        title, _, body = alert.detail.partition(BETWEEN)
        if alert.held_back:
            more = "one more was" if alert.held_back == 1 else f"{alert.held_back} more were"
            body += f"\n({more} held back since the one before)"
        try:
            result = self._apprise.notify(body, title, notify_type=self._type_of(alert), body_format="text")
            said = [entry.message for entry in result.logs()]
        except Exception as error:  # a plugin of Apprise's, or somebody else's
            return Outcome(False, self._redacted(f"{type(error).__name__}: {error}"))
        return Outcome(True) if result else Outcome(False, self._redacted(said[-1] if said else "it did not take it"))

    def _type_of(self, alert: Alert) -> Any:
        if alert.event not in EVENTS:
            return self._types.INFO
        return self._types.SUCCESS if read_back(alert.detail)[0] == OVER else self._types.WARNING

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = secret.redact(text)
        return " ".join(text.split())[:500]


def _imported(where: str) -> Any:
    try:
        import apprise
    except ImportError as error:
        raise SettingsError(
            f"{where}: alerts are sent by Apprise, which is not installed ({error}); "
            "pip install 'tickplant[alerts]', or remove [[alerts]]"
        ) from None
    logger = logging.getLogger("apprise")  # it may name hosts and paths: what it says is told redacted, by us
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return apprise


def _asset(apprise: Any) -> Any:
    """Return Apprise's settings: everything in the thread that calls, tried once."""
    return apprise.AppriseAsset(
        app_id="tickplant", app_desc="tickplant", app_url="", async_mode=False, service_timeout=0, secure_logging=True
    )


def _shown(to: str, found: Any) -> str:
    """Return an address without secrets: variables by their names, no query, no password; else as Apprise shows it."""
    if "${" not in to and found is not None:
        to = found.url(privacy=True)
    hidden = _PASSWORD.sub(lambda match: f"{match[1]}:{match[2] if '${' in match[2] else REDACTED}@", to)
    return hidden.partition("?")[0]
