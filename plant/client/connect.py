"""What a user opens: a connection to a process that answers questions, a publisher, a subscriber.

import rdb, plant
db = rdb.connect()
db.bars.tail(5)
for batch in plant.subscribe("trades", sym="AAPL", since="09:30"): ...
with plant.publisher("my-feed") as feed: feed.publish("trades", frame)
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from plant.client.arguments import Moment, Syms, moment_of, names_of
from plant.client.connection import Connection
from plant.client.unknown_symbols import LOOK_S, has_all, lacking, names_in, warn_user
from plant.errors import PlantError, QueryError, Unavailable, UnknownSymbolWarning
from plant.runtime.settings import Settings, load
from plant.runtime.standby import answering_addresses, followed_addresses, ingest_addresses
from plant.transport import sockets

if TYPE_CHECKING:  # imported when they are opened: who only asks the rdb waits for none of them
    from plant.client.plant_connection import PlantConnection
    from plant.stream.publisher import Publisher
    from plant.stream.subscriber import Subscriber

Opened = TypeVar("Opened", bound=Connection)
"""A kind of connection."""


def connect(
    address: str | None = None,
    *,
    port: int | None = None,
    history: str | None = None,
    config: str | None = None,
    **options: Any,
) -> "PlantConnection":
    """Return a connection to the plant of plant.toml, today and history as one.

    `address` ("host:port") or `port` is that of its rdb, `history` that of its hdb; options are those of Connection.
    Raises Unavailable at once if the rdb does not answer within `timeout_s` (10 s), nor, unless an address was given,
    that of a plant of [[standby]].

    >>> plant.connect().count("trades")
    8
    """
    from plant.client.plant_connection import PlantConnection

    settings = _plant_of(config)
    given = address is not None or port is not None or history is not None
    rdb, hdb = answering_addresses(settings, "rdb"), answering_addresses(settings, "hdb")
    if given:
        rdb = (_address(settings, address, port, settings.rdb.port),)
        hdb = (_address(settings, history, None, settings.hdb.port),)
    options = {"zone": settings.zone, **options}
    makers = [partial(PlantConnection, *both, settings.table_schema, **options) for both in zip(rdb, hdb, strict=True)]
    return _first_that_answers(makers)


def connect_to(
    who: str,
    address: str | None = None,
    *,
    port: int | None = None,
    config: str | None = None,
    kind: type[Connection] = Connection,
    **options: Any,
) -> Connection:
    """Return a connection to a process ("rdb", "processor", "hdb") at an address, or where plant.toml says it is.

    `address` may leave out tcp://; `port` alone is one of plant.toml's host.

    options are those of Connection, `kind` is what is made. Raises Unavailable at once if it does not answer within
    `timeout_s` (10 s), nor, for rdb and hdb without an address, that of a plant of [[standby]].

    >>> from plant.client.connect import connect_to
    >>> connect_to("rdb", frames="arrow").last("trades").num_rows
    2
    """
    settings = _plant_of(config)
    where = answering_addresses(settings, who)
    if address is not None or port is not None:
        where = (_address(settings, address, port, getattr(settings, who).port),)
    return _first_that_answers([partial(kind, who, each, **{"zone": settings.zone, **options}) for each in where])


def publisher(
    name: str,
    address: str | Sequence[str] | None = None,
    *,
    config: str | None = None,
    timeout_s: float | None = None,
    unit: str | None = None,
    unique_trade_ids: bool = False,
) -> "Publisher":
    """Return a publisher called `name`, connected: rows are acknowledged, sent again when in doubt, never doubled.

    `address` is the tickerplant's ingest socket, or several: it goes on to the next one when a plant is silent, or
    takes no rows; default: as in plant.toml, with those of [[standby]]. `unit` is that of int times since 1970 UTC,
    "s", "ms", "us" or "ns"; without it they are ns, and refused if they look like another. With `unique_trade_ids` it
    promises that a trade_id is that of one trade within (source, sym, day): the plant drops trades that come again,
    and `repeats` of the publisher counts them. Raises Unavailable if the plant does not answer within `timeout_s`:
    10 s, with that promise 60 s, for it reads the ids that it has from the journal first.

    >>> with plant.publisher("my-feed") as feed:
    ...     feed.publish("signals", {"time": "2026-11-20 14:31", "sym": "AAPL", "interval": "1m", "signal": "mine"})
    ...     feed.flush() > 0  # the seq that is in the journal
    True
    """
    from plant.stream.publisher import Publisher

    settings = _plant_of(config)
    where = address or ingest_addresses(settings)
    made = Publisher(name, where, settings.table_schema, unit=unit, unique_trade_ids=unique_trade_ids)
    try:
        made.wait_connected((60.0 if unique_trade_ids else 10.0) if timeout_s is None else timeout_s)
    except BaseException:
        made.close(0)
        raise
    return made


def subscribe(
    tables: Syms = None,
    sym: Syms = None,
    since: Moment | None = None,
    *,
    after: int | None = None,
    conflate: bool = False,
    name: str = "",
    config: str | None = None,
) -> "Subscriber":
    """Return an iterator of Batch: what the journal holds, then what comes, with no seam; it never ends by itself.

    tables   one name or several; None: all
    sym      only rows of these symbols
    since    None: only what comes from now on; "start": all the journal holds; a time ("09:30", a datetime, ns):
             rows of that time and later
    after    a journal sequence number already known: everything behind it
    conflate only the newest row of each key (of each symbol) of what came since the last batch was taken: for a screen
             that need not see every step
    name     under which `plant status` shows how far the subscriber is behind

    With [[standby]] in plant.toml it goes on to the next plant when one is silent or fenced. Raises JournalDiverged if
    that one never got what was handed on here: subscribe anew.

    Warns (UnknownSymbolWarning) of a symbol that no row has yet, if the rdb can say so within LOOK_S.

    >>> for batch in plant.subscribe("trades", sym="AAPL", since="2026-11-20 14:31"):
    ...     print(batch.table, batch.pandas()["price"].tolist())
    ...     break
    trades [190.5, 190.75]
    """
    settings = _plant_of(config)
    options = {"conflate": conflate, "name": name}
    wanted, syms = names_of(tables, "tables"), names_of(sym)
    made = subscriber_of(settings, wanted, syms, since, after, **options)
    try:
        for warning in unknown_symbols(settings, wanted, syms):
            warn_user(warning)
    except BaseException:
        made.close()
        raise
    return made


def subscriber_of(
    settings: Settings,
    tables: tuple[str, ...] | None,
    sym: tuple[str, ...] | None = None,
    since: Moment | None = "start",
    after: int | None = None,
    **options: Any,
) -> "Subscriber":
    """Return `subscribe` for settings already loaded; options are those of Subscriber."""
    from plant.stream.narrowing import only
    from plant.stream.subscriber import Subscriber

    since_ns = None if since in (None, "start") else moment_of(since, settings.zone)
    return Subscriber(
        settings.table_schema,
        settings.table_schema if tables is None else tables,
        settings.publish_address,
        settings.journal_address,
        cursor=after if after is not None else None if since is None else 0,
        keep=only(sym, since_ns),
        spin_us=settings.plant.spin_us,
        standby=followed_addresses(settings),
        **options,
    )


def unknown_symbols(
    settings: Settings, tables: Iterable[str] | None, syms: Iterable[str] | None
) -> list[UnknownSymbolWarning]:
    """Return a warning of each symbol that no row of these tables has yet, in history or today.

    None if that cannot be said: a subscriber needs no rdb, and waits for it no longer than LOOK_S.

    >>> from plant.client.connect import unknown_symbols
    >>> [str(warning) for warning in unknown_symbols(load(), ["trades"], ["AAPL", "APPL"])]
    ["no row of table trades ever had sym 'APPL'; nearest: AAPL"]
    """
    if syms is None:
        return []
    from plant.client.plant_connection import PlantConnection

    names = list(settings.table_schema if tables is None else tables)
    rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
    try:
        with Connection("rdb", rdb, timeout_s=LOOK_S) as today:
            left = lacking(today.answer_to, names, syms)
            if left and has_all(today.status, rdb.rpartition(":")[0]):
                left = lacking(today.answer_to, names, left)
            else:
                return []
        with PlantConnection(rdb, hdb, settings.table_schema, timeout_s=LOOK_S) as db:
            left = lacking(db.answer_to, names, left)
            known = set().union(*(names_in(db.answer_to, name) for name in names)) if left else set()
    except PlantError:
        return []
    return [UnknownSymbolWarning.named(name, names, known) for name in left]


def _first_that_answers(makers: Sequence[Callable[[], Opened]]) -> Opened:
    """Return the first connection whose process answers. Raises Unavailable, the first one's, if none does."""
    silent: Unavailable | None = None
    for make in makers:
        connection = make()
        try:
            connection.status()
            return connection
        except Unavailable as error:
            silent = silent or error
            connection.close()
        except BaseException:
            connection.close()
            raise
    assert silent is not None
    raise silent


def _plant_of(config: str | None) -> Settings:
    settings = load(config)
    sockets.use_keys(settings.plant.keys)
    return settings


def _address(settings: Settings, address: str | None, port: int | None, usual: int) -> str:
    if address is not None and port is not None:
        raise QueryError(f"connect: give an address or a port, not both; found {address!r} and {port!r}")
    if not address:
        return settings.address(usual if port is None else port)
    return address if "://" in address else f"tcp://{address}"
