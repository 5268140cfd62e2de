"""What routes read with, over tables in memory: no process, no socket."""

from types import SimpleNamespace
from typing import Any

from plain_rows import SCHEMA

from plant.calendars.assignment import Calendars
from plant.memory.table import MemoryTable
from plant.query import questions
from plant.query.answers import Answerer


def services_over(tables: dict[str, MemoryTable], calendars: Calendars | None = None, seq: int = 1000) -> Any:
    """Return what has of api.services.Services what reading needs; its answers have everything up to `seq` in them."""

    async def ask(question: Any, timeout_s: float | None = None) -> tuple[Any, int]:
        return Answerer(tables).answer(questions.question_of(question.to_wire())).replace_schema_metadata(None), seq

    settings = SimpleNamespace(
        calendars=calendars or Calendars({}, {}),
        processor=SimpleNamespace(grace_s=2.0),
        hdb=SimpleNamespace(keep_days=0),
    )
    return SimpleNamespace(schema=SCHEMA, ask=ask, settings=settings)
