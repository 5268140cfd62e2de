"""What `trading.connect()` gives: questions about the tables of trading, and which classes of strategies there are."""

from typing import Any

import msgpack

from plant.client.connection import Connection


class TradingConnection(Connection):
    """A connection to the trader, which also tells its classes of strategies."""

    def classes(self, timeout_s: float | None = None) -> list[dict[str, Any]]:
        """Return the classes of strategies: name, docstring, parameters (JSON schema), file, code_sha, error.

        One whose file cannot be read has an `error`, and no parameters.
        """
        found: list[dict[str, Any]] = msgpack.unpackb(self._requester.ask(timeout_s, ask="classes")[0])
        return found
