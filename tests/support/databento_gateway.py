"""Databento's live gateway on this machine: the login by challenge, subscriptions, replay, records.

It needs databento_dbn, which the client brings. Replays are of all records whose time is at `start` or later.
"""

import contextlib
import hashlib
import socket
import threading
import time
from typing import Any

KEY = "db-" + "k3y0" * 7 + "x"
START = 1_767_225_600_000_000_000


class DatabentoGateway:
    """Use as a context manager; `port` is where it listens. `trade` makes a record and sends it to whoever is there."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.sessions: list[socket.socket] = []
        self.subscriptions: list[dict[str, str]] = []
        self.records: list[tuple[int, bytes]] = []
        self.connects = 0

    def __enter__(self) -> "DatabentoGateway":
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.drop()
        for thread in self._threads:
            thread.join(5)

    def mapping(self, instrument: int, sym: str) -> None:
        """Say what an instrument is called."""
        import databento_dbn as dbn

        record = dbn.SymbolMappingMsg(
            publisher_id=0, instrument_id=instrument, ts_event=START, stype_in=dbn.SType.RAW_SYMBOL,
            stype_in_symbol=sym, stype_out=dbn.SType.INSTRUMENT_ID, stype_out_symbol=sym, start_ts=0, end_ts=0,
        )  # fmt: skip
        self._send(bytes(record))

    def trade(self, instrument: int, price: int, sequence: int, time_ns: int) -> None:
        """Make a trade; `price` in 1e-9."""
        import databento_dbn as dbn

        record = dbn.TradeMsg(
            publisher_id=2, instrument_id=instrument, ts_event=time_ns, price=price, size=5, action=dbn.Action.TRADE,
            side=dbn.Side.ASK, depth=0, ts_recv=time_ns + 100, flags=0, ts_in_delta=3, sequence=sequence,
        )  # fmt: skip
        with self.lock:
            self.records.append((time_ns + 100, bytes(record)))
            self._send(bytes(record))

    def drop(self) -> None:
        """Cut every session."""
        with self.lock:
            for session in self.sessions:
                with contextlib.suppress(OSError):
                    session.shutdown(socket.SHUT_RDWR)
                session.close()
            self.sessions = []

    def _send(self, record: bytes) -> None:
        with self.lock:
            for session in self.sessions:
                with contextlib.suppress(OSError):
                    session.sendall(record)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                session, _ = self._server.accept()
                self.connects += 1
                thread = threading.Thread(target=self._serve, args=(session,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, session: socket.socket) -> None:
        with contextlib.suppress(OSError):
            session.sendall(b"lsg_version=0.6.0\ncram=challenge\n")
            lines = session.makefile("rb")
            fields = _fields(lines.readline())
            made = hashlib.sha256(f"challenge|{KEY}".encode()).hexdigest()
            if fields.get("auth") != f"{made}-{KEY[-5:]}":
                session.sendall(b"success=0|error=Authentication failed.\n")
                session.close()
                return
            session.sendall(b"success=1|session_id=42\n")
            starts: list[int] = []
            while line := lines.readline():
                fields = _fields(line)
                if "start_session" in fields:
                    self._begin(session, fields, starts)
                elif fields:
                    with self.lock:
                        self.subscriptions.append(fields)
                    if "start" in fields:
                        starts.append(int(fields["start"]))

    def _begin(self, session: socket.socket, fields: dict[str, str], starts: list[int]) -> None:
        import databento_dbn as dbn

        metadata: Any = dbn.Metadata(
            dataset="XNAS.ITCH", start=START, stype_in=dbn.SType.RAW_SYMBOL, stype_out=dbn.SType.INSTRUMENT_ID,
            schema=None, symbols=[], partial=[], not_found=[], mappings=[], version=3,
        )  # fmt: skip
        done = dbn.SystemMsg(ts_event=time.time_ns(), msg="done", code=dbn.SystemCode.REPLAY_COMPLETED)
        with self.lock:
            session.sendall(metadata.encode())
            self.sessions.append(session)
            if starts:
                self.mapping(7, "AAPL")
                for at, record in self.records:
                    if at >= min(starts):
                        session.sendall(record)
                for _ in starts:
                    session.sendall(bytes(done))


def _fields(line: bytes) -> dict[str, str]:
    return dict(part.split("=", 1) for part in line.decode().strip().split("|") if "=" in part)
