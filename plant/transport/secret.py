"""A key that does not show: not in a repr, not in a log line, not in a status."""

from typing import Protocol
from urllib.parse import quote, quote_plus

REDACTED = "***"


class SecretLike(Protocol):
    """What pydantic's SecretStr offers, without importing it."""

    def get_secret_value(self) -> str:
        """Return the secret as it is."""
        ...


class Secret:
    """Hold one secret string; only `reveal()` gives it out, and `redact()` takes it out of any text.

    Strings `beside` it are redacted as well, and given out by nothing: the secret that belongs to a key.
    """

    __slots__ = ("_forms",)

    def __init__(self, value: str | SecretLike, *beside: str | SecretLike) -> None:
        plain = [one if isinstance(one, str) else one.get_secret_value() for one in (value, *beside)]
        # A server may echo the key as it stood in the address, with its special characters escaped.
        others = {form for one in plain for form in (one, quote(one), quote(one, safe=""), quote_plus(one))}
        self._forms = (plain[0], *others - {plain[0]})

    def reveal(self) -> str:
        """Return the secret, to be handed straight to the connection that needs it."""
        return self._forms[0]

    def redact(self, text: str) -> str:
        """Return `text` with every form of the secret replaced by ***."""
        for form in sorted(filter(None, self._forms), key=len, reverse=True):
            text = text.replace(form, REDACTED)
        return text

    def __bool__(self) -> bool:
        return bool(self._forms[0])

    def __repr__(self) -> str:
        return f"Secret({REDACTED!r})"
