"""What plant.toml says of the service for other front ends: [api]."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from plant.errors import SettingsError
from plant.runtime.sections import Port
from plant.transport import sockets

AtLeastOne = Annotated[int, Field(gt=0)]


class ApiSettings(BaseModel):
    """[api]: the service leaves loopback only where everyone needs a key and nobody can listen."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="address it listens at; another than loopback needs auth and TLS")
    port: Port = 8000
    auth: Literal["auto", "keys"] = Field(
        "auto",
        description="auto: on loopback one reads, draws and trades on paper without a key; keys: nothing without",
    )
    origins: tuple[str, ...] = Field((), description="pages of other hosts that may use it, e.g. https://desk.example")
    hosts: tuple[str, ...] = Field(("127.0.0.1", "localhost"), description="names it may be called by, in Host")
    tls_cert: str = Field("", description="file of its TLS certificate, PEM; empty: plain HTTP")
    tls_key: str = Field("", description="file of the certificate's private key, PEM")
    proxy: bool = Field(False, description="a proxy in front of it speaks TLS, and tells in X-Forwarded-For who asks")
    read_per_s: AtLeastOne = Field(50, description="reads of a key per second; without key of an address")
    trade_per_s: AtLeastOne = Field(5, description="changes, and of their own orders, likewise")
    connections: AtLeastOne = Field(10, description="streams open at once, likewise")
    subscriptions: AtLeastOne = Field(200, description="subscriptions of a stream's connection")
    queue_rows: AtLeastOne = Field(20_000, description="rows that wait for a slow client before it lags")
    body_mb: AtLeastOne = Field(16, description="a file that is sent may have so much, MiB; JSON 1 MiB")
    replay_rows: AtLeastOne = Field(1_000_000, description="rows that a stream which comes back may catch up with")
    png: bool = Field(False, description="whether charts are also written as files into the data folder")

    @field_validator("origins", "hosts")
    @classmethod
    def _in_small_letters(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(value.lower().rstrip("/") for value in values)

    @model_validator(mode="after")
    def _certificate_with_key(self) -> Self:
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("tls_cert and tls_key belong together; found only one of them")
        return self

    @property
    def url(self) -> str:
        """Its address, for a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.port}"

    def check_exposure(self) -> None:
        """Raise SettingsError if others can reach it without a key, or listen on the way."""
        if sockets.is_loopback(self.host):
            return
        lacking = [] if self.auth == "keys" else ['auth = "keys"']
        lacking += [] if self.tls_cert or self.proxy else ["tls_cert and tls_key, or proxy = true behind one with TLS"]
        if lacking:
            raise SettingsError(
                f"[api] host = {self.host!r} is open to other machines, so it needs {' and '.join(lacking)}; "
                "or leave host at 127.0.0.1"
            )
