"""What plant.connect() gives: today and history as one."""

import datetime as dt
import socket
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from plant.client.connection import Connection
from plant.client.gateway import Gateway
from plant.client.seam import Seam
from plant.errors import Unavailable
from plant.query import questions
from plant.rows.schema import Schema, Table

LOOK_S = 1.0
"""Longest the hdb may take to say how it is."""

LISTENS_S = 0.2
"""Longest its machine may take to refuse a connection, if nobody listens there."""


class PlantConnection(Connection):
    """Ask about today and history as one: every question of a Connection, answered as one table would.

    The rdb at `address` has today, the hdb at `history` what was before; `schema` has the plant's tables. No row is
    missing at the seam and none is there twice, also while a day is closed. Raises Unavailable if the hdb does not
    answer, unless the rdb has let go of nothing yet: then it answers alone. With `partial` it answers alone whatever it
    has let go of, and `missing` says why.

    >>> import plant
    >>> db = plant.connect()
    >>> db.count("trades", "AAPL"), db.last("trades", columns=["price"])["price"].tolist()
    (4, [190.75, 410.25])
    """

    def __init__(
        self,
        address: str,
        history: str,
        schema: Schema,
        *,
        frames: str = "pandas",
        zone: dt.tzinfo = dt.UTC,
        timeout_s: float = 10.0,
        client: str = "",
        warn_unknown: bool = True,
        partial: bool = False,
    ) -> None:
        options: dict[str, Any] = {"frames": frames, "zone": zone, "timeout_s": timeout_s, "client": client}
        super().__init__("rdb", address, **options, warn_unknown=warn_unknown)
        self.history = Connection("hdb", history, **options, warn_unknown=warn_unknown)
        self._schema, self._partial = schema, partial
        sides = self.history.answer_to, super().answer_to
        today = super().status
        self._seam = Seam(*sides, lambda: bool(today().get("caught_up")), partial, lambda: _listens(history))
        self._gateway = Gateway(*sides, schema, self._seam)

    @property
    def missing(self) -> str:
        """Why answers are of today alone, "" if they are of history, too."""
        return self._seam.missing

    def answer_to(self, question: questions.Question, timeout_s: float | None = None) -> pa.Table:
        """Return the answer to a question of plant.query.questions as an Arrow table; all questions come here."""
        questions.question_of(question.to_wire())
        return self._gateway.answer(question, timeout_s)

    def status(self, timeout_s: float | None = None) -> dict[str, Any]:
        """Return what the rdb says of itself, and under "history" what the hdb says; {"error": ...} if it does not."""
        found = super().status(timeout_s)
        try:
            found["history"] = self.history.status(LOOK_S)
        except Unavailable as error:
            found["history"] = {"error": str(error)}
        return found

    def close(self) -> None:
        """Disconnect; questions under way in other threads end with Cancelled. The next question connects again."""
        self.history.close()
        super().close()

    def __reduce__(self) -> Any:
        """Pickled, it is a connection to the same plant."""
        tables = [table.declaration() for table in self._schema.values()]
        return _remade, (self.address, self.history.address, tables, {**self._options(), "partial": self._partial})

    def _looked_into(self) -> str | None:
        return None if self.missing or super()._looked_into() is None else ""

    def _title(self) -> str:
        return f"plant: rdb at {self.address}, hdb at {self.history.address}"


def _listens(address: str) -> bool:
    """Return whether there may be somebody at a tcp:// address: False if the connection is refused at once."""
    place = urlsplit(address)
    try:
        with socket.create_connection((place.hostname or "", place.port or 0), LISTENS_S):
            return True
    except ConnectionRefusedError:
        return False
    except (OSError, ValueError):
        return True  # who knows: it is asked


def _remade(address: str, history: str, tables: list[dict[str, Any]], options: dict[str, Any]) -> PlantConnection:
    return PlantConnection(address, history, Schema(map(Table.declared, tables)), **options)
