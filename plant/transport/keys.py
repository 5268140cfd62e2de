"""CURVE keys: who may speak to this plant, and encryption on the way (RFC 26/CurveZMQ).

A folder made by `plant keys FOLDER` holds `server.key` and `client.key` (public) and their `_secret` halves, and in
`clients/` the public keys of those who may connect. A machine that only reads needs server.key and its own client pair.
With keys set in plant.toml, every socket of the plant uses them, and addresses other than loopback are allowed.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plant.errors import SettingsError

if TYPE_CHECKING:  # a plant without keys does not wait for what only keys need
    import zmq
    from zmq.auth.thread import ThreadAuthenticator


@dataclass(frozen=True)
class Keys:
    """The keys of a plant as one of its machines has them; `server_secret` is None where nothing is bound."""

    folder: Path
    server_public: bytes
    server_secret: bytes | None
    client_public: bytes
    client_secret: bytes

    def protect_client(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket speak to our plant only, as one of its clients."""
        socket.curve_serverkey = self.server_public
        socket.curve_publickey = self.client_public
        socket.curve_secretkey = self.client_secret

    def protect_server(self, socket: "zmq.Socket[bytes]") -> None:
        """Make a socket take only clients whose keys are in `clients/`. Raises SettingsError without the secret."""
        if self.server_secret is None:
            raise SettingsError(f"{self.folder}: no server.key_secret; a process that binds needs it")
        socket.curve_server = True
        socket.curve_publickey = self.server_public
        socket.curve_secretkey = self.server_secret


def read_keys(folder: Path) -> Keys:
    """Return the keys in a folder. Raises SettingsError, naming the file that is missing or no key."""
    import zmq.auth

    try:
        server_public, _ = zmq.auth.load_certificate(folder / "server.key")
        secret = folder / "server.key_secret"
        server_secret = zmq.auth.load_certificate(secret)[1] if secret.is_file() else None
        client_public, client_secret = zmq.auth.load_certificate(folder / "client.key_secret")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder}: {error}; `plant keys {folder}` makes a set of keys") from None
    if client_secret is None:
        raise SettingsError(f"{folder}/client.key_secret holds no secret key; `plant keys` makes one")
    return Keys(folder, server_public, server_secret, client_public, client_secret)


def make_keys(folder: Path) -> None:
    """Write a new set of keys into an empty or new folder. Raises SettingsError if there are keys already."""
    import zmq.auth

    if any(folder.glob("*.key*")):
        raise SettingsError(f"{folder} holds keys already; remove them, or give another folder")
    clients = folder / "clients"
    clients.mkdir(parents=True, exist_ok=True)
    for name in ("server", "client"):
        _, secret = zmq.auth.create_certificates(folder, name)
        Path(secret).chmod(0o600)
    shutil.copy(folder / "client.key", clients / "client.key")


def start_authenticator(context: "zmq.Context[zmq.Socket[bytes]]", keys: Keys) -> "ThreadAuthenticator":
    """Return the running check of who connects to the sockets of this process."""
    from zmq.auth.thread import ThreadAuthenticator

    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain="*", location=str(keys.folder / "clients"))
    return authenticator
