"""A TCP proxy that a test puts between two processes, to cut their connections in the middle of whatever they say."""

import contextlib
import random
import socket
import struct
import threading

CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER 0: closing resets, what was under way is lost


class CuttingProxy:
    """Forwards connections to `port` of this machine; `port` of the proxy itself is `.port`."""

    def __init__(self, port: int, seed: int) -> None:
        self.cuts = 0
        self._target = port
        self._chance = random.Random(seed)
        self._open: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def cut(self) -> int:
        """Reset every connection; return how many there were. New ones are taken at once."""
        with self._lock:
            pairs, self._open = self._open, set()
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it, which closes it
        self.cuts += len(pairs)
        return len(pairs)

    def close(self) -> None:
        """Cut everything and take nothing more."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
                far.settimeout(None)
            except OSError:  # nobody there now
                near.close()
                continue
            pair = (near, far)
            with self._lock:
                self._open.add(pair)
            done = threading.Barrier(2)
            self._start(self._forward, near, far, pair, done)
            self._start(self._forward, far, near, pair, done)

    def _forward(
        self, source: socket.socket, target: socket.socket, pair: tuple[socket.socket, socket.socket],
        done: threading.Barrier,
    ) -> None:  # fmt: skip
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                if pair not in self._open:  # cut: perhaps a part of it still arrives, and nothing behind that
                    target.sendall(data[: self._chance.randrange(len(data))])
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)
        done.wait(30)  # both directions have ended: nobody uses these sockets any more
        source.close()
        with self._lock:
            self._open.discard(pair)
