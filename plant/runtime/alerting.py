"""What plant.toml says of alerts: [[alerts]], and [monitor], the process that sends them (monitor/)."""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from plant.errors import QueryError
from plant.rows.intervals import interval_name

EVENTS = ("feed_stale", "process_down", "gap", "rejects", "disk", "day_not_closed")
"""What the plant can tell of itself."""

_WITH_TRADING = "order_rejected"

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Where the address of a service has a variable of the environment, e.g. ${CHAT_TOKEN}."""

Name = Annotated[str, Field(min_length=1)]


class MonitorSettings(BaseModel):
    """[monitor]: from when on something is an event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    disk_free_gb: float = Field(2.0, ge=0, description="less free space for the data folder is told, 10**9 bytes")
    feed_silent_s: float = Field(250.0, gt=0, description="a feed that sent rows is stale after so long without one")
    day_close_s: float = Field(900.0, gt=0, description="a day that is not in history so long after its end is told")


class AlertSection(BaseModel):
    """One of [[alerts]]: what is told, and where.

    `to` is any address of Apprise's; it stays as it is written: the monitor fills in the environment when it starts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    signals: tuple[Name, ...] = Field((), description='names of signals; patterns: "rsi_*", "*"')
    events: tuple[Name, ...] = Field((), description=f"what the plant tells of itself: {', '.join(EVENTS)}")
    to: str = Field(description='where to, an address of Apprise\'s: "json://127.0.0.1:9000/hook"; secrets as ${NAME}')
    every_s: float = Field(60.0, ge=0, description="at most one of a signal (or event) and symbol in so long")
    within_s: float = Field(300.0, ge=0, description="what is older by the clock is counted, not sent; 0: any age")
    intervals: tuple[Name, ...] = Field((), description="of signals: lengths of bars; empty: all")
    symbols: tuple[Name, ...] = Field(
        (), description="patterns of symbols; of an event: of what it is about; empty: all"
    )

    @field_validator("events")
    @classmethod
    def _known_events(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if _WITH_TRADING in value:
            raise ValueError(f"{_WITH_TRADING} comes with trading, which this plant does not have yet; leave it out")
        if unknown := [name for name in value if name not in EVENTS]:
            raise ValueError(f"no event is called {unknown[0]!r}; events are {', '.join(EVENTS)}")
        return value

    @field_validator("intervals")
    @classmethod
    def _one_name_each(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(map(interval_name, value))
        except QueryError as error:
            raise ValueError(str(error)) from None

    @field_validator("to")
    @classmethod
    def _an_address(cls, value: str) -> str:
        left = VARIABLE.sub("", value)
        if "${" in left:
            raise ValueError("a variable of the environment is written ${NAME}, with letters, digits and _")
        if "://" not in value and left == value:
            raise ValueError('expected an address of Apprise\'s, like "json://127.0.0.1:9000/hook" or "${CHAT_URL}"')
        return value

    @model_validator(mode="after")
    def _about_something(self) -> Self:
        if not self.signals and not self.events:
            raise ValueError(f"expected signals or events; events are {', '.join(EVENTS)}")
        if self.intervals and not self.signals:
            raise ValueError("intervals are those of signals, and it names none")
        return self

    def about(self, event: str, sym: str, interval: str) -> bool:
        """Return whether it is to tell of an event (interval "") or a signal."""
        if interval:
            named = _one_of(event, self.signals) and (not self.intervals or interval in self.intervals)
        else:
            named = event in self.events
        return named and (not self.symbols or _one_of(sym, self.symbols))


def _one_of(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
