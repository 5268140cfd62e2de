"""The settings of a plant: the sections of plant.toml and the environment; an unknown key is an error.

`PLANT_CONFIG` holds the path of the file; without it, plant.toml in the current folder is read if there is one.
`PLANT_<SECTION>__<KEY>` overrides a key: `PLANT_RDB__PORT=6006`, `PLANT_PLANT__DATA=/var/plant`. Secrets (a venue's API
key) come from the environment only and are no settings.
"""

import json
import os
import tomllib
from pathlib import Path
from typing import Any, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, field_validator

from plant.calendars.assignment import Calendars
from plant.conditions.rules import Rule, rules_of
from plant.errors import SchemaError, SettingsError, nearest_names
from plant.history.days import Days
from plant.history.warehouse import S3
from plant.indicators.declarations import Declaration, declared
from plant.rows.built_in import refuse_built_in
from plant.rows.schema import Column, Schema, Table
from plant.rows.tables import SIMULATED, schema_of
from plant.runtime.alerting import AlertSection, MonitorSettings
from plant.runtime.annotating import AnnotationsSettings
from plant.runtime.archiving import ArchiveSettings
from plant.runtime.promotion import Promotion, promotion_of, upstream_of
from plant.runtime.sections import (
    BarsSettings,
    DashboardSettings,
    FeedSection,
    HdbSettings,
    MirrorSettings,
    PlantSettings,
    ProcessorSettings,
    RdbSettings,
    StandbySection,
    TickerplantSettings,
    UpstreamSettings,
)
from plant.runtime.service import ApiSettings
from plant.runtime.trading import PAPER_ACCOUNT, AccountSection, InstrumentSection, TradingSettings
from plant.transport import sockets

PROCESS_NAMES = frozenset(
    (
        "tickerplant",
        "rdb",
        "processor",
        "hdb",
        "writer",
        "feeds",
        "dashboard",
        "monitor",
        "mirror",
        "trading",
        "api",
        "archive",
        "end-of-day",
    )
)
"""Names under which processes publish; a feed has another."""


_PREFIX = "PLANT_"

_COLUMNS_OF_RULES = ("open", "high", "low", "close", "volume")
"""Columns of a bar that a rule may read."""


class Settings(BaseModel):
    """All settings of one plant; frozen. `load()` makes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plant: PlantSettings = PlantSettings()
    tickerplant: TickerplantSettings = TickerplantSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    mirror: MirrorSettings = MirrorSettings()
    rdb: RdbSettings = RdbSettings()
    processor: ProcessorSettings = ProcessorSettings()
    bars: BarsSettings = BarsSettings()
    hdb: HdbSettings = HdbSettings()
    archive: ArchiveSettings = ArchiveSettings()
    dashboard: DashboardSettings = DashboardSettings()
    monitor: MonitorSettings = MonitorSettings()
    annotations: AnnotationsSettings = AnnotationsSettings()
    trading: TradingSettings = TradingSettings()
    api: ApiSettings = ApiSettings()
    standby: tuple[StandbySection, ...] = ()
    feeds: tuple[FeedSection, ...] = ()
    tables: tuple[dict[str, Any], ...] = ()
    indicators: tuple[dict[str, Any], ...] = ()
    signals: tuple[dict[str, Any], ...] = ()
    alerts: tuple[AlertSection, ...] = ()
    accounts: tuple[AccountSection, ...] = (PAPER_ACCOUNT,)
    instruments: tuple[InstrumentSection, ...] = ()

    @field_validator("accounts")
    @classmethod
    def _at_least_one(cls, value: tuple[AccountSection, ...]) -> tuple[AccountSection, ...]:
        return value or (PAPER_ACCOUNT,)

    _promotion: Promotion | None = PrivateAttr(None)
    _file: Path = PrivateAttr(default_factory=lambda: Path("plant.toml").absolute())

    @property
    def file(self) -> Path:
        """Where they are from; a relative path in them is meant from its folder. It may be absent."""
        return self._file

    @property
    def promotion(self) -> Promotion | None:
        """Which stream this plant took over, if it did; [upstream] is empty then, whatever plant.toml says."""
        return self._promotion

    @property
    def table_schema(self) -> Schema:
        """The plant's tables, `indicators` as declared, and those of [[tables]]; raises SchemaError for a bad one."""
        own = [Table.declared(declared) for declared in self.tables]
        refuse_built_in(own)
        columns = [Column(column, "float", str(one)) for one in self.declarations for column in one.columns]
        return schema_of(own, self.plant.negative_prices, columns)

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """The indicators that are computed: those that are always there, and [[indicators]]. Raises SettingsError."""
        return declared(self.indicators, self.processor.defaults)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules of signals: those that are always there, of UT Bots, and [[signals]]. Raises SettingsError."""
        columns = [column for one in self.declarations for column in one.columns]
        return rules_of(self.signals, (*_COLUMNS_OF_RULES, *columns), self.declarations)

    @property
    def zone(self) -> ZoneInfo:
        """The zone of times typed without one."""
        return ZoneInfo(self.hdb.time_zone)

    @property
    def days(self) -> Days:
        """The days of this plant. Raises SettingsError for a calendar nobody knows."""
        return Days(self.hdb.roll_at, self.hdb.time_zone, self.hdb.calendar)

    @property
    def calendars(self) -> Calendars:
        """Which symbol has which exchange's calendar. Raises SettingsError for a pattern that has two."""
        feeds = {feed.label: feed.calendar_code for feed in self.feeds}
        return Calendars(self.bars.calendars, feeds, {each.sym: each.calendar for each in self.instruments})

    @property
    def strategies_folder(self) -> Path:
        """Where strategies of one's own lie."""
        return self.file.parent / self.trading.strategies

    @property
    def ingest_address(self) -> str:
        """Where this plant's rows are published: its own tickerplant, or the one it follows; "" if that is not told."""
        return self.upstream.ingest if self.upstream.followed else self.address(self.tickerplant.ingest_port)

    @property
    def publish_address(self) -> str:
        """Where this plant's tickerplant publishes."""
        return self.address(self.tickerplant.publish_port)

    @property
    def journal_address(self) -> str:
        """Where it answers about its journal."""
        return self.address(self.tickerplant.journal_port)

    @property
    def dashboard_host(self) -> str:
        """Where the page is served: [plant] host; 127.0.0.1 if that is open to others and the page is not guarded."""
        open_to_others = not sockets.is_loopback(self.plant.host)
        return "127.0.0.1" if open_to_others and not self.dashboard.guarded else self.plant.host

    @property
    def dashboard_url(self) -> str:
        """The page's address, for a browser."""
        scheme = "https" if self.dashboard.certificate else "http"
        return f"{scheme}://{_bracketed(self.dashboard_host)}:{self.dashboard.port}"

    def source_name(self, process: str) -> str:
        """Return the name a process of this plant publishes under."""
        return f"{process}@{self.plant.name}" if self.plant.name else process

    def address(self, port: int, host: str = "") -> str:
        """Return the ZeroMQ address of a port of this plant, or of another host."""
        return f"tcp://{_bracketed(host or self.plant.host)}:{port or '*'}"


def load(path: str | os.PathLike[str] | None = None) -> Settings:
    """Return the settings from `path`, else from PLANT_CONFIG, else from ./plant.toml, else the defaults.

    Relative folders and files in it are meant from where the file lies. A file that names no feed has none; without any
    file there is a simulated one, to try the plant with. Raises SettingsError, naming file and key.
    """
    file = file_of(path)
    there = file.is_file()
    _refuse_unknown_variables()
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8")) if there else {"feeds": [{"kind": SIMULATED}]}
        settings = Settings.model_validate(_merged(given, _of_environment()))
        settings.table_schema, settings.rules  # noqa: B018  (a broken table is a broken settings file)
    except ValidationError as error:
        raise SettingsError(f"{file}: {explained(error)}") from None
    except (ValueError, SchemaError, SettingsError) as error:  # TOML syntax, a table, a port that is no number
        raise SettingsError(f"{file}: {error}") from None
    labels = [f.label for f in settings.feeds]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise SettingsError(f"{file}: two feeds are called {min(twice)!r}; give each [[feeds]] its own name")
    for section, names in (("accounts", [a.name for a in settings.accounts]),
                           ("instruments", [i.name for i in settings.instruments])):  # fmt: skip
        if doubled := [name for name in names if names.count(name) > 1]:
            raise SettingsError(f"{file}: two [[{section}]] are called {doubled[0]!r}; give each its own")
    if taken := sorted({*labels} & PROCESS_NAMES):
        raise SettingsError(f"{file}: a feed cannot be called {taken[0]!r}, as a process is; give it another name")
    base = file.parent
    keys = settings.plant.keys and str(base / settings.plant.keys)
    plant = settings.plant.model_copy(update={"data": base / settings.plant.data, "keys": keys})
    page = settings.dashboard
    files = {name: str(base / named) for name in ("certificate", "certificate_key") if (named := getattr(page, name))}
    api = {name: str(base / named) for name in ("tls_cert", "tls_key") if (named := getattr(settings.api, name))}
    archive = settings.archive
    if archive.warehouse and not archive.warehouse.startswith(S3):
        archive = archive.model_copy(update={"warehouse": str((base / archive.warehouse).absolute())})
    sections = {
        "archive": archive,
        "plant": plant,
        "dashboard": page.model_copy(update=files),
        "api": settings.api.model_copy(update=api),
    }
    if (promotion := promotion_of(plant.data)) is not None:
        sections["upstream"] = upstream_of(settings.upstream, promotion, file)
    found = settings.model_copy(update=sections)
    found._promotion = promotion
    found._file = file
    return found


def file_of(path: str | os.PathLike[str] | None = None) -> Path:
    """Return the settings file's absolute path: `path`, else PLANT_CONFIG, else ./plant.toml, which may be absent.

    Raises SettingsError if a file that was named is not there.
    """
    named = path or os.environ.get("PLANT_CONFIG")
    file = Path(named or "plant.toml").absolute()
    if named and not file.is_file():
        raise SettingsError(f"no settings file {file}; PLANT_CONFIG (or --config) must name a plant.toml")
    return file


def explained(error: ValidationError) -> str:
    """Return what is wrong with some keys, as one line: which, what was expected, what was found, what may be meant."""
    faults = error.errors()
    meant = [name for each in faults if each["type"] == "extra_forbidden" and (name := _meant(each["loc"]))]
    return "; ".join(map(_line_of, faults)) + (f" (did you mean {', '.join(meant)}?)" if meant else "")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _line_of(error: Any) -> str:
    place = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {place}"
    if error["type"] == "missing":
        return f"{place}: {error['msg']}"
    secret = error["loc"][0] == "alerts" and (len(error["loc"]) < 3 or error["loc"][2] == "to")
    if secret:  # what was found may have one in it
        return f"{place}: {error['msg']}"
    return f"{place}: {error['msg']}, found {error['input']!r}"


def _meant(place: tuple[Any, ...]) -> str:
    """Return the key that is most like an unknown one, "" if none is."""
    near = nearest_names(place[-1], _keys_at(place[:-1]), 1)
    return ".".join(str(part) for part in (*place[:-1], *near)) if near else ""


def _keys_at(place: tuple[Any, ...]) -> list[str]:
    """Return the keys there may be at a place of the settings, e.g. ("accounts", 0, "limits")."""
    model: Any = Settings
    for name in (part for part in place if isinstance(part, str)):
        field = model.model_fields.get(name) if _is_model(model) else None
        model = field and next((t for t in (field.annotation, *get_args(field.annotation)) if _is_model(t)), None)
    return list(model.model_fields) if _is_model(model) else []


def _is_model(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseModel)


def _of_environment() -> dict[str, Any]:
    """Return what the environment sets: sections of keys. Raises ValueError for what should be JSON and is not."""
    found: dict[str, Any] = {}
    names = sorted((name for name in os.environ if name.upper().startswith(_PREFIX)), key=len)  # a section, its keys
    for name in names:
        section, *keys = name[len(_PREFIX) :].lower().split("__")
        if section not in Settings.model_fields:
            continue  # PLANT_CONFIG, a secret
        value: Any = os.environ[name]
        if not keys or (len(keys) == 1 and _is_json(section, keys[0])):
            try:
                value = json.loads(value)
            except ValueError as error:
                place = ".".join([section, *keys])
                found_value = "what is none" if section == "alerts" else repr(value)  # it may have a secret in it
                raise ValueError(f"{place}: expected JSON in {name}, found {found_value} ({error})") from None
        for key in reversed(keys):
            value = {key: value}
        found = _merged(found, {section: value})
    return found


def _is_json(section: str, key: str) -> bool:
    """Return whether a key of a section has a list or a table as its value."""
    model = Settings.model_fields[section].annotation
    field = model.model_fields.get(key) if isinstance(model, type) and issubclass(model, BaseModel) else None
    return field is not None and get_origin(field.annotation) in (tuple, dict)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return two trees of keys as one; where both have a value, that of `above`."""
    both = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            both[key] = _merged(below[key], above[key])
    return both


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
