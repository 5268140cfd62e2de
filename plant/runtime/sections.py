"""The sections of plant.toml, typed: every key with its default, its unit and its meaning."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from plant.errors import QueryError
from plant.query.limits import MEBIBYTE, Limits
from plant.rows.intervals import interval_name

Port = Annotated[int, Field(ge=0, le=65535)]
"""A TCP port; 0 lets the system pick one."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlantSettings(_Section):
    """[plant]: what all processes share."""

    name: str = Field(
        "", pattern=r"^[A-Za-z0-9_.-]*$", description="told apart from other plants by it, e.g. in a chain"
    )
    data: Path = Field(Path("data"), description="folder of journal, history, logs; relative to plant.toml")
    keys: str = Field("", description="folder of CURVE keys, made by `plant keys`; empty: loopback only")
    host: str = Field("127.0.0.1", description="address all sockets bind to and connect to")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    heartbeat_s: float = Field(1.0, gt=0, description="seconds between a process's heartbeat rows")
    spin_us: float = Field(
        0.0, ge=0, description="before they sleep, processes look so long for rows that come as closely, microseconds"
    )
    negative_prices: tuple[str, ...] = Field(
        (), description='symbols whose prices may be 0 or less, e.g. ["CL*"]; bars, trades or quotes: the whole table'
    )


class TickerplantSettings(_Section):
    """[tickerplant]"""

    ingest_port: Port = 5000
    publish_port: Port = 5001
    journal_port: Port = 5002
    sync: str = Field("100 ms", description='when the journal is fsynced: "none", "<n> ms" or "batch"')
    ack: Literal["journaled", "mirrored"] = Field(
        "journaled", description="publishers are acknowledged once the journal, or the mirror, too, has their rows"
    )
    segment_mb: int = Field(256, gt=0, description="size at which the journal begins a new file, MiB")
    segment_hours: float = Field(24.0, gt=0, description="age at which it does so")
    compress: bool = Field(True, description="compress the journal's closed files")
    keep_days: float = Field(0.0, ge=0, description="remove confirmed files that ended longer ago; 0: keep them")
    keep_gb: float = Field(0.0, ge=0, description="remove confirmed files beyond this size, 10**9 bytes; 0: keep them")
    batch_ms: int = Field(0, ge=0, description="publish every so many ms; 0: at once, as much as waits")
    trade_ids: int = Field(
        10_000_000, ge=2, description="ids remembered of each day and feed with unique_trade_ids, about 35 bytes each"
    )
    publish_queue: int = Field(1000, gt=0, description="messages kept for a slow subscriber before it misses some")

    @field_validator("sync")
    @classmethod
    def _known_policy(cls, value: str) -> str:
        sync_interval_s(value)
        return value

    @property
    def sync_s(self) -> float | None:
        """Seconds between fsyncs: None for never, 0 for before every acknowledgement."""
        return sync_interval_s(self.sync)


StreamName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$", max_length=64)]
"""What a journal's stream in JetStream is named for."""


class UpstreamSettings(_Section):
    """[upstream]: the plant this one follows; all empty: none, it takes publishers itself."""

    publish: str = Field("", description='the other plant\'s publish socket, e.g. "tcp://127.0.0.1:5001"')
    journal: str = Field("", description="its journal socket")
    ingest: str = Field("", description="its ingest socket, for heartbeats of this plant's processes; empty: none")
    stream: tuple[str, ...] = Field(
        (), description='instead of publish and journal: servers of NATS that have its journal, "nats://host:4222"'
    )
    name: StreamName = Field("main", description="with stream: the other plant's [mirror] name")

    @field_validator("stream", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return tuple(filter(None, (value,))) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.stream and (self.publish or self.journal):
            raise ValueError("follow a plant by its sockets (publish, journal) or by its stream; found both")
        return self

    @property
    def followed(self) -> str:
        """What is followed, as a text; "" for nothing."""
        return self.publish or (f"stream {self.name} at {', '.join(self.stream)}" if self.stream else "")


class MirrorSettings(_Section):
    """[mirror]: the journal copied to a stream of NATS JetStream (docs/scale.md); no servers: it is not."""

    servers: tuple[str, ...] = Field((), description='servers of one cluster, e.g. ["nats://host-1:4222", ...]')
    replicas: int = Field(3, ge=1, le=5, description="servers that keep the stream; fewer are refused")
    monitor: tuple[str, ...] = Field(
        (), description='their monitoring addresses, "http://host-1:8222", to check that they sync; empty: not checked'
    )
    name: StreamName = Field("main", description="of the stream; one plant writes to one of a name")
    compress: bool = Field(False, description="with zstd: a fifth of the bytes, but not the journal's own")


class StandbySection(_Section):
    """[[standby]]: where a plant is that follows this one; a port that is not given is as this plant's own."""

    host: str = Field("", description="empty: as [plant] host")
    ingest_port: Port | None = Field(None, gt=0, description="where feeds and publishers go on")
    publish_port: Port | None = Field(None, gt=0, description="where subscribers go on")
    journal_port: Port | None = Field(None, gt=0, description="where they read its journal")
    rdb_port: Port | None = Field(None, gt=0, description="what rdb.connect(), plant.connect() ask if ours is silent")
    hdb_port: Port | None = Field(None, gt=0, description="and of the history")


class AnsweringSettings(_Section):
    """What the sections of processes that answer questions have in common."""

    port: Port = 0
    query_seconds: float = Field(30.0, gt=0, description="a question may take so long")
    query_rows: int = Field(20_000_000, gt=0, description="rows of an answer at most")
    query_mb: int = Field(1024, gt=0, description="its size at most, MiB")
    unread_mb: int = Field(2048, ge=64, description="answers that clients have not read yet, all together, MiB")
    log_queries: bool = Field(True, description="whether every question becomes a row of the table queries")

    @property
    def limits(self) -> Limits:
        """What one question may cost."""
        return Limits(self.query_seconds, self.query_rows, self.query_mb * MEBIBYTE)


class RdbSettings(AnsweringSettings):
    """[rdb]"""

    port: Port = 5006
    keep_gb: float = Field(0.0, ge=0, description="let go of the oldest rows the hdb has beyond this, 10**9 bytes")
    keep_hours: float = Field(0.0, ge=0, description="and of those taken longer ago; 0: all since the end of day stay")


class ProcessorSettings(AnsweringSettings):
    """[processor]"""

    port: Port = 5011
    timer_s: float = Field(10.0, ge=0, description="seconds between computations; 0: at once")
    min_bars: int = Field(5, ge=1, description="bars a symbol needs before it is computed")
    defaults: bool = Field(True, description="whether the indicators and rules that need no declaration are there")
    intervals: tuple[str, ...] = Field(
        ("1m", "2m", "5m", "15m", "1h", "1d"), description="candles built from trades and from smaller bars"
    )
    session: Literal["regular", "extended"] = Field(
        "regular", description="bars that indicators and signals take in, of symbols with a calendar"
    )
    grace_s: float = Field(2.0, ge=0, description="a bar may still be revised so long after its end before it closes")
    checkpoint_s: float = Field(
        120.0, ge=0, description="seconds between checkpoints of what it computed; 0: one at a clean end only"
    )

    @field_validator("intervals")
    @classmethod
    def _stored_intervals(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return stored_intervals(values)


class BarsSettings(_Section):
    """[bars]: how candles are made."""

    sources: tuple[str, ...] = Field((), description="feeds of which one counts for a symbol, first the best")
    build: Literal["auto", "never"] = Field(
        "auto", description="auto: an interval that a feed sends itself for a symbol is not built; never: none is"
    )
    update_s: float = Field(1.0, ge=0, description="a bar that forms goes out at most so often")
    calendars: dict[str, tuple[str, ...]] = Field(
        {}, description='which symbols have which exchange\'s calendar, e.g. {XNYS = ["AAPL", "BRK*"]}'
    )


class HdbSettings(AnsweringSettings):
    """[hdb]"""

    port: Port = 5007
    roll_at: str = Field("00:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="end of day, in time_zone")
    time_zone: str = Field("UTC", description="zone of roll_at, and of times typed without one")
    calendar: str = Field(
        "", description="an exchange whose sessions are the days, e.g. XNYS; empty: every date is one"
    )
    part_s: float = Field(30.0, gt=0, description="seconds after which what came is written")
    part_rows: int = Field(500_000, gt=0, description="rows after which it is")
    compact_mb: float = Field(16.0, ge=0, description="days of a table whose month is smaller become one file, MiB")
    keep_days: float = Field(0.0, ge=0, description="remove days that ended longer ago; 0: keep everything")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"no time zone {value!r}; use a name like America/New_York") from None
        return value


class DashboardSettings(_Section):
    """[dashboard]: the page shows all data and offers it for download, so it leaves loopback only behind a door."""

    port: Port = 8501
    refresh_s: float = Field(5.0, gt=0, description="seconds between refreshes of the page")
    login: bool = Field(False, description="visitors must log in, by [auth] of .streamlit/secrets.toml (OIDC)")
    certificate: str = Field("", description="file of its TLS certificate, PEM; empty: plain HTTP")
    certificate_key: str = Field("", description="file of the certificate's private key, PEM")
    behind_proxy: bool = Field(False, description="a proxy in front of it asks for a login and speaks TLS")

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if bool(self.certificate) != bool(self.certificate_key):
            raise ValueError("certificate and certificate_key belong together; found only one of them")
        return self

    @property
    def guarded(self) -> bool:
        """Whether nobody sees the page without a login, nor on the way: by its own login and TLS, or by a proxy."""
        return self.behind_proxy or (self.login and bool(self.certificate))


class FeedSection(BaseModel):
    """One of [[feeds]]: which kind of feed it is, and what it is called.

    Its other keys are kept as they stand: the feed handler checks them, as the kind of feed wants them.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+(:[A-Za-z_]\w*)?$",
        description='"simulated", "recorded", ...; a class of one\'s own: "my_module:MyFeed"',
    )
    name: str = Field("", description="source name in the plant; the kind if empty", pattern=r"^[A-Za-z0-9_.-]*$")

    @property
    def label(self) -> str:
        """Name of the feed's process and of its source; without `name` it is `kind`, or the module in that."""
        return self.name or self.kind.partition(":")[0]

    @property
    def calendar_code(self) -> str:
        """The exchange whose calendar its symbols have, "" for none."""
        return str((self.model_extra or {}).get("calendar", ""))

    @property
    def own_keys(self) -> dict[str, Any]:
        """The keys that are the feed's own."""
        return dict(self.model_extra or {})


MISCONFIGURED = "misconfigured"
"""What the state of a feed begins with that cannot run as plant.toml has it."""


def stored_intervals(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of intervals that are stored, each once, 1m among them. Raises ValueError for one that is not.

    >>> stored_intervals(("5Min", "1h", "60m"))
    ('1m', '5m', '1h')
    """
    names = []
    for value in values:
        try:
            name = interval_name(value)
        except QueryError as error:
            raise ValueError(str(error)) from None
        if name != "1d" and (name[-1] not in "mh" or name.endswith("ms")):
            raise ValueError(f"expected multiples of a minute, or 1d, found {value!r}; other bars are made on request")
        names.append(name)
    return tuple(dict.fromkeys(("1m", *names))) if names else ()


def sync_interval_s(policy: str) -> float | None:
    """Return the seconds between fsyncs that a policy means: None for "none", 0 for "batch". Raises ValueError."""
    if policy == "none":
        return None
    if policy == "batch":
        return 0.0
    number, _, unit = policy.partition(" ")
    if unit != "ms" or not number.isdecimal() or not 0 < int(number) <= 3_600_000:
        raise ValueError(f'expected "none", "<n> ms" or "batch", found {policy!r}; n is 1 to 3600000 (an hour)')
    return int(number) / 1000
