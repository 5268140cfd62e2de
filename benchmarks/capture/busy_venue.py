"""A venue as busy as Binance, in a process of its own: trades of 200 symbols at a steady pace over a real WebSocket.

    python -m benchmarks.capture.busy_venue RATE SECONDS SYMBOLS FILE

It prints its addresses, then "ready" once all symbols are subscribed; a line has it send. In FILE (npy) it leaves when
each trade was sent: int64[n], ns.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "support"))

import binance_server  # noqa: E402
from binance_server import BinanceServer  # noqa: E402

STEP_S = 0.005
"""Trades of so long are written at once, each in a frame of its own."""


def symbols_of(count: int) -> list[str]:
    """Return the names of `count` symbols."""
    return [f"C{number:03d}USDT" for number in range(count)]


class BusyVenue(BinanceServer):
    """Trades of the symbols in turns; those of a symbol are numbered from 1."""

    @property
    def subscribed(self) -> set[str]:
        """The streams that clients have subscribed."""
        with self.lock:
            return {name for client in self.clients for name in client.subscribed}

    def send(self, names: list[str], first: int, last: int) -> int:
        """Send the trades first to last - 1, of all symbols, to those who subscribed theirs; return when, ns."""
        now = time.time_ns()
        ms = now // 10**6
        with self.lock:
            clients = list(self.clients)
        parts: list[bytearray] = [bytearray() for _ in clients]
        wanted = [client.subscribed for client in clients]
        count = len(names)
        for number in range(first, last):
            sym = names[number % count]
            told = (
                f'{{"stream":"{sym.lower()}@trade","data":{{"e":"trade","E":{ms},"s":"{sym}","t":{number // count + 1},'
                f'"p":"{100 + number % 7}.{number % 100:02d}000000","q":"0.{number % 900 + 100}00000",'
                f'"T":{ms},"m":{"true" if number % 2 else "false"},"M":true}}}}'
            ).encode()
            head = b"\x81" + (bytes([len(told)]) if len(told) < 126 else b"\x7e" + len(told).to_bytes(2, "big"))
            for part, mine in zip(parts, wanted, strict=True):
                if f"{sym.lower()}@trade" in mine:
                    part += head + told
        for client, part in zip(clients, parts, strict=True):
            if part:
                with client.connection.protocol_mutex:
                    client.connection.socket.sendall(part)
        return now


def main() -> None:
    """Serve, and send when told to."""
    rate, seconds, count, file = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    names = symbols_of(count)
    binance_server.SYMBOLS = tuple(names)
    with BusyVenue() as server:
        print(json.dumps({"url": server.url, "rest_url": server.rest_url}), flush=True)
        total = int(rate * seconds)
        sent = np.zeros(total, np.int64)
        while len(server.subscribed) < count:
            time.sleep(0.05)
        print(json.dumps("ready"), flush=True)
        sys.stdin.readline()
        began, done = time.monotonic(), 0
        while done < total:
            due = min(int((time.monotonic() - began) * rate), total)
            if due > done:
                sent[done:due] = server.send(names, done, due)
                done = due
            time.sleep(STEP_S)
        np.save(file, sent)
        print(json.dumps({"took_s": time.monotonic() - began}), flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
