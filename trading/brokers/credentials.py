"""The key and secret of an account, from the environment or a file that nobody else may read; they never show.

Looked for in this order, for the account `swing-1` of the broker alpaca:

    ALPACA_API_KEY_SWING_1, ALPACA_API_SECRET_SWING_1   the account's own
    ALPACA_API_KEY, ALPACA_API_SECRET                   of all the broker's accounts
    [swing-1] in credentials.toml beside plant.toml     key = "...", secret = "..."; mode 0600
"""

import logging
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from plant.errors import SettingsError
from plant.transport.secret import Secret

FILE = "credentials.toml"


class Credentials:
    """A key and its secret, each a `Secret`; `both` redacts the two of them from a text."""

    __slots__ = ("both", "key", "secret")

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = Secret(key), Secret(secret)
        self.both = Secret(key, secret)

    def redact(self, text: str) -> str:
        """Return a text without them."""
        return self.both.redact(text)

    def __repr__(self) -> str:
        return "Credentials('***')"

    def __reduce__(self) -> str:
        raise TypeError("credentials are not to be written down; read them where they are used")


def credentials_of(account: str, broker: str, environment: Mapping[str, str], folder: Path) -> Credentials:
    """Return what an account signs its requests with.

    environment   usually os.environ; folder: where plant.toml lies

    Raises SettingsError, which names where they were looked for, and never what was found.
    """
    suffix = "_" + account.upper().replace("-", "_")
    names = [(f"{broker.upper()}_API_KEY{end}", f"{broker.upper()}_API_SECRET{end}") for end in (suffix, "")]
    for key_name, secret_name in names:
        key, secret = environment.get(key_name, ""), environment.get(secret_name, "")
        if key and secret:
            return _checked(key, secret, f"{key_name} and {secret_name}")
        if key or secret:
            there, lacks = (key_name, secret_name) if key else (secret_name, key_name)
            raise SettingsError(f"account {account!r}: the environment has {there} but no {lacks}; set both")
    path = folder / FILE
    found = _from_file(path, account)
    if found is None:
        tried = " or ".join(" and ".join(pair) for pair in names)
        raise SettingsError(
            f"account {account!r} has no credentials: set {tried} in the environment, or write key and secret under "
            f"[{account}] in {path} and have `chmod 600` done to it"
        )
    return found


def hide(credentials: Credentials, loggers: Iterable[str]) -> list["Redacting"]:
    """Have loggers of libraries, which may show requests at level DEBUG, redact credentials, until `Redacting.stop`."""
    return [Redacting(credentials, name) for name in loggers]


class Redacting(logging.Filter):
    """Take credentials out of all that one logger says, until `stop`."""

    def __init__(self, credentials: Credentials, logger: str) -> None:
        super().__init__()
        self._credentials, self._logger = credentials, logging.getLogger(logger)
        self._logger.addFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record; it is said in any case."""
        record.msg, record.args = self._credentials.redact(record.getMessage()), ()
        return True

    def stop(self) -> None:
        """Let the logger alone."""
        self._logger.removeFilter(self)


def _from_file(path: Path, account: str) -> Credentials | None:
    try:
        # Looked at through what is open, so that it cannot be exchanged between look and reading.
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or status.st_uid != os.geteuid():
                mode = stat.S_IMODE(status.st_mode)
                raise SettingsError(f"{path} may be read by others (mode {mode:04o}): chmod 600 it, owned by you")
            sections = tomllib.load(file)
    except FileNotFoundError:
        return None
    except tomllib.TOMLDecodeError:
        # The parser's own words may hold the line, and with it the secret.
        raise SettingsError(f"{path} is no TOML; expected [{account}] with key = and secret =") from None
    section = sections.get(account)
    if section is None:
        return None
    pair = (section.get("key"), section.get("secret")) if isinstance(section, dict) else (None, None)
    if not all(isinstance(text, str) and text for text in pair):
        raise SettingsError(f"{path}: [{account}] must have key and secret, both texts")
    return _checked(str(pair[0]), str(pair[1]), f"[{account}] of {path}")


def _checked(key: str, secret: str, where: str) -> Credentials:
    # They go into headers: a line end would be a header of somebody's choosing, a blank is a slip of the hand.
    if any(not ("!" <= letter <= "~") for letter in key + secret):
        raise SettingsError(f"{where}: key and secret must be printable ASCII without blanks")
    return Credentials(key, secret)
