"""The service's process: `python -m api`. It serves HTTP in a thread; this one follows the plant and says it is alive.

What is known of keys, permissions and earlier requests are folds of rows: read once at the start, then followed.
"""

import time
from typing import Any

from api.access.audit import KEPT_NS, Audit
from api.access.caller import Access
from api.access.keys import KeyRing
from api.access.origins import Origins
from api.access.quota import Quota
from api.access.tickets import Tickets
from api.access.writing import Writer
from api.app import create_app
from api.metrics import Metrics
from api.pulse import Pulse
from api.server import ServerThread
from api.services import Live, Services
from plant.client.aio import AsyncConnection
from plant.client.connection import Connection
from plant.client.plant_connection import PlantConnection
from plant.client.seam import seq_of
from plant.errors import PlantError, SettingsError
from plant.query.questions import Select
from plant.rows.arrow import columns_from_arrow
from plant.rows.batch import Batch
from plant.runtime.lifecycle import Process, Vitals, log, run
from plant.serving.follower import Follower
from plant.serving.opening import follow
from plant.serving.reports import Reports
from plant.state.newest import columns_of_batch
from plant.stream.publisher import Publisher
from plant.stream.subscriber import Subscriber
from plant.transport.request import Requester

READ_S = 10.0
"""Longest history and today may take to tell what is folded at the start."""

ASK_S = 10.0
"""Longest an answer to a request may take to begin."""


class Api(Process):
    """HTTP for other front ends."""

    name = "api"

    def startup(self) -> dict[str, Any]:
        """Open what the routes work with, and serve. Raises SettingsError for a host that is open without a door."""
        settings = self.settings
        settings.api.check_exposure()
        if not settings.ingest_address:
            raise SettingsError("the service publishes what is changed; set ingest in [upstream]")
        self._schema = settings.table_schema
        self._ring, self._audit, self._live = KeyRing(), Audit(), Live()
        self._waiting = ""
        rdb, hdb = settings.address(settings.rdb.port), settings.address(settings.hdb.port)
        processor = settings.address(settings.processor.port)
        options: dict[str, Any] = {"frames": "arrow", "timeout_s": ASK_S, "warn_unknown": False, "client": self.name}
        self._plant = self.opened(PlantConnection(rdb, hdb, self._schema, zone=settings.zone, **options))
        asked = self.opened(PlantConnection(rdb, hdb, self._schema, zone=settings.zone, **options))
        self._writes = Publisher(settings.source_name(self.name), settings.ingest_address, self._schema)
        writer = self.opened(Writer(self._writes))
        quota, metrics = Quota(settings.api), Metrics()
        self._services = Services(
            settings=settings,
            schema=self._schema,
            plant=AsyncConnection(asked),
            processor=AsyncConnection(self.opened(Connection("processor", processor, **options))),
            trading=self.opened(Requester(settings.address(settings.trading.port), "trading", ASK_S, self.name)),
            writer=writer,
            access=self.opened(Access(settings.api, self._ring, quota)),
            ring=self._ring,
            quota=quota,
            tickets=Tickets(),
            audit=self._audit,
            origins=Origins(settings.api),
            pulse=self.opened(Pulse(settings)),
            metrics=metrics,
            live=self._live,
        )
        vitals = Vitals(self.name)
        told = Publisher(settings.source_name(f"{self.name}-beats"), settings.ingest_address, self._schema)
        reports = Reports(told, vitals, settings.plant.heartbeat_s)
        self._follower = self.opened(
            Follower(
                vitals,
                self._follow,
                self._take,
                lambda seq: None,
                reports,
                whole=True,
                trouble=lambda: self._waiting,
                reached=self._reached,
            )
        )
        self._server = self.opened(ServerThread(create_app(self._services), settings.api))
        return {"listen": self._server.url}

    def step(self) -> None:
        """Take what has come."""
        if not self._server.alive:
            raise PlantError("the HTTP server has ended; its log tells why")
        self._follower.step()

    def _follow(self) -> Subscriber | None:
        """Follow every table, from where the folds have been read up to."""
        self._waiting = ""
        if not self._writes.connected:
            return None
        try:
            seq = self._read()
        except PlantError as error:
            self._waiting = f"waiting for rdb and history: {error}"
            return None
        self._ring.loaded = True
        return follow(self.settings, self.name, self._schema, seq)

    def _read(self) -> int:
        """Fold what there is, and return up to which seq."""
        since = time.time_ns() - KEPT_NS
        keyed = (("idempotency_key", "!=", ""),)
        seqs = []
        for table, question in (
            ("api_keys", Select("api_keys", columns=_columns(self._schema, "api_keys"))),
            ("audit", Select("audit", None, since, columns=_columns(self._schema, "audit"), where=keyed)),
        ):
            found = self._plant.answer_to(question, READ_S)
            seqs.append(seq_of(found) or 0)
            self._fold(table, columns_from_arrow(found, self._schema[table], question.columns or ()))
        return min(seqs)

    def _take(self, batch: Batch) -> None:
        if batch.table in ("api_keys", "audit"):
            self._fold(batch.table, columns_of_batch(batch))
        self._live.take(batch)

    def _fold(self, table: str, columns: Any) -> None:
        if table == "api_keys":
            for row in self._ring.take(columns):
                log.info("key", key=row["sym"], action=row["action"], role=row["role"])
        else:
            self._audit.take(columns)

    def _reached(self, seq: int) -> None:
        self._live.reached(seq)
        self._services.metrics.seq.set(seq)


def _columns(schema: Any, table: str) -> tuple[str, ...]:
    return (*schema[table].names, "seq", "seq_row")


def main() -> None:
    """Run the service."""
    run(Api, name="api")


if __name__ == "__main__":
    main()
