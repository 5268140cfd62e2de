"""ZeroMQ sockets as the plant uses them: safe addresses only, no lingering, dead peers noticed.

The plant binds and connects to loopback unless CURVE keys are configured (plant.transport.keys), so that a plant is
never open to a network by accident.
"""

import contextlib
import ipaddress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zmq

from plant.errors import SettingsError
from plant.transport.keys import Keys, read_keys, start_authenticator

_HEARTBEATS = {"HEARTBEAT_IVL": 2000, "HEARTBEAT_TIMEOUT": 10000}
"""How a dead peer is noticed: by ZeroMQ, ms."""

_KEPT_ALIVE = {"TCP_KEEPALIVE": 1, "TCP_KEEPALIVE_IDLE": 2, "TCP_KEEPALIVE_INTVL": 2, "TCP_KEEPALIVE_CNT": 4}
"""How a stream's dead peer is noticed: by the system, s. ZeroMQ 4.3.5 aborts the process when a heartbeat of its own
falls due on a connection that has ended while the reader's queue was full.
"""

SILENCE_S = 5.0
"""Nothing heard for this long: a peer that speaks by itself counts as absent, and is connected to anew."""

_STREAMS = (zmq.SUB, zmq.XPUB)
"""Sockets whose reader may fall behind by more than its queue holds."""


def context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return this process's ZeroMQ context."""
    return zmq.Context.instance()


class _Security:
    """The keys of this process, and the check of who connects once something is bound."""

    keys: Keys | None = None
    authenticator: Any = None


def use_keys(folder: str | Path) -> None:
    """Protect every socket made from now on with the CURVE keys in `folder`; empty: none, and loopback only."""
    _Security.keys = read_keys(Path(folder)) if folder else None


def bind(context: zmq.Context[Any], kind: int, address: str, **options: int) -> tuple[zmq.Socket[Any], str]:
    """Return a bound socket and its real address (port 0 or * means "pick one"). Raises SettingsError."""
    socket = _socket(context, kind, address, options)
    if _Security.keys is not None:
        _Security.keys.protect_server(socket)
        if _Security.authenticator is None:
            _Security.authenticator = start_authenticator(context, _Security.keys)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close(0)
        raise SettingsError(
            f"cannot bind {address}: {error}; is another plant running? "
            "`plant status` tells, and plant.toml sets other ports"
        ) from None
    return socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)


def connect(context: zmq.Context[Any], kind: int, address: str, **options: int) -> zmq.Socket[Any]:
    """Return a socket that connects to `address` now or as soon as someone is there, and again whenever it must."""
    socket = _socket(context, kind, address, options)
    if _Security.keys is not None:
        _Security.keys.protect_client(socket)
    try:
        socket.connect(address)
    except zmq.ZMQError as error:
        socket.close(0)
        raise SettingsError(
            f"cannot connect to {address!r}: {error}; an address looks like tcp://127.0.0.1:5006"
        ) from None
    return socket


def reconnect(socket: zmq.Socket[Any], address: str) -> None:
    """Connect anew to `address`, where the socket was connected; what waits in its queues is gone.

    ZeroMQ connects again by itself, but never after bytes that are not ZMTP: another program had the port for a while.
    """
    with contextlib.suppress(zmq.ZMQError):  # it has given up: there is nothing to disconnect
        socket.disconnect(address)
    socket.connect(address)


def _socket(context: zmq.Context[Any], kind: int, address: str, options: dict[str, int]) -> zmq.Socket[Any]:
    if _Security.keys is None:
        _refuse_open_address(address)
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, int("[" in address))
    socket.setsockopt(zmq.RECONNECT_IVL, 50)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
    for name, value in (_KEPT_ALIVE if kind in _STREAMS else _HEARTBEATS).items():
        socket.setsockopt(getattr(zmq, name), value)
    for name, value in options.items():
        socket.setsockopt(getattr(zmq, name), value)
    return socket


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine's own, which nobody else reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_open_address(address: str) -> None:
    if address.startswith("inproc://"):
        return
    host = _host(address)
    if not is_loopback(host):
        raise SettingsError(
            f"{address}: {host or 'this'} is not a loopback address; without CURVE keys the plant speaks to "
            "this machine only (tcp://127.0.0.1:port)"
        )


def _host(address: str) -> str:
    """Return the host of tcp://host:port, empty if there is none. Raises SettingsError for what ZeroMQ would misread.

    ZeroMQ takes a port modulo 65536, and what stands before a ";" for the address to connect from: no number is a port.
    """
    try:
        parts = urlsplit(address)
        if parts.scheme != "tcp":
            raise ValueError("it does not begin with tcp://")
        if not address.endswith(":*") and parts.port is None and parts.hostname:
            raise ValueError("no port")
        return parts.hostname or ""
    except ValueError as error:
        raise SettingsError(f"{address!r} is not an address ({error}); one looks like tcp://127.0.0.1:5006") from None
