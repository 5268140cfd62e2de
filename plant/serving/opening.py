"""What a process that follows the plant and answers questions opens, as plant.toml says."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from plant.errors import Unavailable
from plant.query.limits import MEBIBYTE
from plant.runtime.lifecycle import Vitals
from plant.runtime.sections import AnsweringSettings
from plant.runtime.settings import Settings
from plant.serving.query_log import Usage
from plant.serving.reports import Reports
from plant.serving.server import Answering, QueryServer
from plant.sql.workers import begin_in
from plant.stream.publisher import Publisher
from plant.stream.stream import Mark
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

ASK_S = 2.0
"""Longest the tickerplant may take to answer where the last closed day ends."""


SQL_IN_S = 5.0
"""So long after its start a process begins what SQL needs; who asks earlier waits for it, half a second."""


def usage_of(settings: Settings, section: AnsweringSettings, name: str) -> Usage | None:
    """Return what notes the questions a process answers, None if they are not to become rows."""
    return Usage(name) if section.log_queries and settings.ingest_address else None


def server_of(
    settings: Settings,
    section: AnsweringSettings,
    answering: Answering,
    status: Callable[[], dict[str, Any]],
    usage: Usage | None,
    missing: Callable[[], str] = lambda: "",
    tells: Mapping[str, Callable[[], Any]] = MappingProxyType({}),
    begin_sql: bool = True,
) -> QueryServer:
    """Return a process's server of questions, at the port and with the limits of its section; the others as there.

    Without `begin_sql` what SQL needs is begun by the first question in it, which waits for that.
    """
    if begin_sql:
        begin_in(SQL_IN_S)
    return QueryServer(
        settings.address(section.port),
        answering,
        status,
        limits=section.limits,
        held_bytes=section.unread_mb * MEBIBYTE,
        usage=usage,
        missing=missing,
        tells=tells,
    )


def reports_of(settings: Settings, vitals: Vitals, usage: Usage | None) -> Reports | None:
    """Return what tells of a process, with a publisher of its own; None where nobody may publish."""
    if not settings.ingest_address:
        return None
    publisher = Publisher(settings.source_name(vitals.name), settings.ingest_address, settings.table_schema)
    return Reports(publisher, vitals, settings.plant.heartbeat_s, usage)


def follow(settings: Settings, name: str, tables: Iterable[str], after: int | Mark, **options: Any) -> Subscriber:
    """Return a process's subscriber to `tables`, from behind a seq or a mark; options are those of Subscriber."""
    addresses = settings.publish_address, settings.journal_address
    options = {"cursor": after, "name": name, "merge": True, "spin_us": settings.plant.spin_us, **options}
    return Subscriber(settings.table_schema, tables, *addresses, **options)


def last_close(journal: Requester) -> int | None:
    """Return the seq of the last closed day's end, None if the tickerplant does not answer."""
    try:
        return int(journal.status(ASK_S)["confirmed"])
    except Unavailable:
        return None
