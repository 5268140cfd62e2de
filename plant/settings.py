"""The settings of a plant: plant.toml and the environment, typed; an unknown key is an error.

`PLANT_CONFIG` holds the path of the file; without it, plant.toml in the current folder is read if there is one.
`PLANT_<SECTION>__<KEY>` overrides a key: `PLANT_RDB__PORT=6006`, `PLANT_PLANT__DATA=/var/plant`. Secrets (a venue's API
key) come from the environment only and are no settings.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from plant.days import Days
from plant.errors import SchemaError, SettingsError
from plant.limits import MEBIBYTE, Limits
from plant.schema import Schema, Table, schema_of

PROCESS_NAMES = frozenset(("tickerplant", "rdb", "processor", "hdb", "writer", "feeds", "dashboard", "end-of-day"))
"""Names under which processes publish; a feed has another."""

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


class TickerplantSettings(_Section):
    """[tickerplant]"""

    ingest_port: Port = 5000
    publish_port: Port = 5001
    journal_port: Port = 5002
    sync: str = Field("100 ms", description='when the journal is fsynced: "none", "<n> ms" or "batch"')
    segment_mb: int = Field(256, gt=0, description="size at which the journal begins a new file, MiB")
    segment_hours: float = Field(24.0, gt=0, description="age at which it does so")
    compress: bool = Field(True, description="compress the journal's closed files")
    keep_days: float = Field(0.0, ge=0, description="remove confirmed files that ended longer ago; 0: keep them")
    keep_gb: float = Field(0.0, ge=0, description="remove confirmed files beyond this size, 10**9 bytes; 0: keep them")
    batch_ms: int = Field(0, ge=0, description="publish every so many ms; 0: at once, as much as waits")
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


class UpstreamSettings(_Section):
    """[upstream]: the plant this one follows; all empty: none, it takes publishers itself."""

    publish: str = Field("", description='the other plant\'s publish socket, e.g. "tcp://127.0.0.1:5001"')
    journal: str = Field("", description="its journal socket")
    ingest: str = Field("", description="its ingest socket, for heartbeats of this plant's processes; empty: none")


class _Answering(_Section):
    query_seconds: float = Field(30.0, gt=0, description="a question may take so long")
    query_rows: int = Field(20_000_000, gt=0, description="rows of an answer at most")
    query_mb: int = Field(1024, gt=0, description="its size at most, MiB")
    unread_mb: int = Field(2048, ge=64, description="answers that clients have not read yet, all together, MiB")
    log_queries: bool = Field(True, description="whether every question becomes a row of the table queries")

    @property
    def limits(self) -> Limits:
        """What one question may cost."""
        return Limits(self.query_seconds, self.query_rows, self.query_mb * MEBIBYTE)


class RdbSettings(_Answering):
    """[rdb]"""

    port: Port = 5006
    keep_gb: float = Field(0.0, ge=0, description="let go of the oldest rows the hdb has beyond this, 10**9 bytes")
    keep_hours: float = Field(0.0, ge=0, description="and of those taken longer ago; 0: all since the end of day stay")


class ProcessorSettings(_Answering):
    """[processor]"""

    port: Port = 5011
    timer_s: float = Field(10.0, gt=0, description="seconds between computations")
    min_bars: int = Field(5, ge=1, description="bars a symbol needs before it is computed")


class HdbSettings(_Answering):
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
    """[dashboard]"""

    port: Port = 8501
    refresh_s: float = Field(5.0, gt=0, description="seconds between refreshes of the page")


class _Feed(_Section):
    name: str = Field("", description="source name in the plant; the kind if empty", pattern=r"^[A-Za-z0-9_.-]*$")

    @property
    def label(self) -> str:
        """Name of the feed's process and of its source."""
        return self.name or self.kind  # type: ignore[attr-defined]


class SimulatedFeedSettings(_Feed):
    """[[feeds]] kind = "simulated": a seeded random market."""

    kind: Literal["simulated"]
    symbols: tuple[str, ...] = ("AAPL", "TSLA", "GOOG")
    seed: int = 7
    history_minutes: int = Field(360, ge=0, description="minute bars sent at start, for each symbol")
    update_s: float = Field(2.0, gt=0, description="seconds between revisions of the forming bar")


class RecordedFeedSettings(_Feed):
    """[[feeds]] kind = "recorded": files of bars, trades or quotes, played at any speed."""

    kind: Literal["recorded"]
    paths: tuple[str, ...] = Field(
        min_length=1, description="CSV or Parquet files, or patterns; relative to plant.toml"
    )
    table: Literal["bars", "trades", "quotes"] = "bars"
    columns: dict[str, str | float] = Field({}, description="our column name to the file's, or to a number")
    scale: dict[str, float] = Field({}, description="factor of a column, e.g. {price = 1e-4}")
    sym: str | None = Field(None, description="symbol of all rows; else a column, else the file's name")
    interval: str = "1m"
    time_zone: str = Field("UTC", description="zone of times without one")
    stamp: Literal["start", "end"] = Field("start", description="which edge of the bar its time marks")
    speed: float = Field(0.0, ge=0, description="1 real time, 60 sixty times faster, 0 as fast as it goes")
    shift_to_today: bool = False
    symbols: tuple[str, ...] = Field((), description="only these; empty: all")


class FinazonFeedSettings(_Feed):
    """[[feeds]] kind = "finazon": bars over Finazon's WebSocket; the key is in FINAZON_API_KEY."""

    kind: Literal["finazon"]
    symbols: tuple[str, ...] = ("AAPL", "TSLA")
    dataset: str = "us_stocks_essential"
    frequency: Literal["1s", "10s", "1m"] = "10s"
    url: str = "wss://ws.finazon.io/v1"
    rest_url: str = "https://api.finazon.io/latest"
    heartbeat_s: float = Field(30.0, gt=0)
    backfill: bool = True


FeedSettings = Annotated[
    SimulatedFeedSettings | RecordedFeedSettings | FinazonFeedSettings, Field(discriminator="kind")
]


class Settings(BaseSettings):
    """All settings of one plant; frozen. `load()` makes it."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="PLANT_", env_nested_delimiter="__")

    plant: PlantSettings = PlantSettings()
    tickerplant: TickerplantSettings = TickerplantSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    rdb: RdbSettings = RdbSettings()
    processor: ProcessorSettings = ProcessorSettings()
    hdb: HdbSettings = HdbSettings()
    dashboard: DashboardSettings = DashboardSettings()
    feeds: tuple[FeedSettings, ...] = (SimulatedFeedSettings(kind="simulated"),)
    tables: tuple[dict[str, Any], ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the environment before the file."""
        toml_file = settings_cls.model_config.get("toml_file")
        file = [TomlConfigSettingsSource(settings_cls)] if toml_file else []
        return (init_settings, env_settings, *file)

    @property
    def table_schema(self) -> Schema:
        """The plant's tables and those of [[tables]]."""
        return schema_of(Table.declared(t) for t in self.tables)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times typed without one."""
        return ZoneInfo(self.hdb.time_zone)

    @property
    def days(self) -> Days:
        """The days of this plant. Raises SettingsError for a calendar nobody knows."""
        return Days(self.hdb.roll_at, self.hdb.time_zone, self.hdb.calendar)

    @property
    def ingest_address(self) -> str:
        """Where this plant's rows are published: its own tickerplant, or the one it follows; "" if that is not told."""
        return self.upstream.ingest if self.upstream.publish else self.address(self.tickerplant.ingest_port)

    def source_name(self, process: str) -> str:
        """Return the name a process of this plant publishes under."""
        return f"{process}@{self.plant.name}" if self.plant.name else process

    def address(self, port: int) -> str:
        """Return the ZeroMQ address of a port of this plant."""
        host = f"[{self.plant.host}]" if ":" in self.plant.host else self.plant.host
        return f"tcp://{host}:{port or '*'}"


def load(path: str | os.PathLike[str] | None = None) -> Settings:
    """Return the settings from `path`, else from PLANT_CONFIG, else from ./plant.toml, else the defaults.

    Relative folders and files in it are meant from where the file lies. Raises SettingsError, naming file and key.
    """
    file = file_of(path)
    _refuse_unknown_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=file if file.is_file() else None)

    try:
        settings = FromFile()
        settings.table_schema  # noqa: B018  (a broken table is a broken settings file)
    except ValidationError as error:
        raise SettingsError(f"{file}: " + "; ".join(_explained(e) for e in error.errors())) from None
    except (ValueError, SchemaError) as error:  # TOML syntax, a table, a port that is no number
        raise SettingsError(f"{file}: {error}") from None
    base = file.parent
    keys = settings.plant.keys and str(base / settings.plant.keys)
    plant = settings.plant.model_copy(update={"data": base / settings.plant.data, "keys": keys})
    feeds = tuple(
        f.model_copy(update={"paths": tuple(str(base / p) for p in f.paths)})
        if isinstance(f, RecordedFeedSettings)
        else f
        for f in settings.feeds
    )
    labels = [f.label for f in feeds]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise SettingsError(f"{file}: two feeds are called {min(twice)!r}; give each [[feeds]] its own name")
    if taken := sorted({*labels} & PROCESS_NAMES):
        raise SettingsError(f"{file}: a feed cannot be called {taken[0]!r}, as a process is; give it another name")
    return settings.model_copy(update={"plant": plant, "feeds": feeds})


def file_of(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the settings file's absolute path: `path`, else PLANT_CONFIG, else ./plant.toml, which may be absent.

    Raises SettingsError if a file that was named is not there.
    """
    named = path or os.environ.get("PLANT_CONFIG")
    file = Path(named or "plant.toml").absolute()
    if named and not file.is_file():
        raise SettingsError(f"no settings file {file}; PLANT_CONFIG (or --config) must name a plant.toml")
    return file


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


def _explained(error: Any) -> str:
    place = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}"
    return f"{place}: {error['msg']}, found {error['input']!r}"


def _refuse_unknown_variables() -> None:
    sections = {name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if name.startswith("PLANT_") and "__" in name:
            section = name.removeprefix("PLANT_").split("__")[0]
            if section not in sections:
                raise SettingsError(
                    f"the environment has {name}, but there is no section [{section.lower()}]; "
                    f"sections are {', '.join(sorted(s.lower() for s in sections))}"
                )
