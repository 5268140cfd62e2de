"""Answers about history: from the newest catalogue there is, whatever the writer does meanwhile.

A question is answered from one version of the catalogue. Files that it names are removed only after another catalogue
took its place; so a file that is missing sends the question back to the newest one, and only if that names it too it is
lost.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pyarrow as pa

from hdb.reader.archived import ArchivedFooter
from hdb.reader.footers import Footers, MissingFile
from hdb.reader.history import HistoryView
from hdb.reader.sql import HistorySql
from plant.errors import HistoryError, QueryError
from plant.history.catalogue import CATALOGUE, Catalogue, File
from plant.history.warehouse import Warehouse
from plant.query import questions
from plant.query.answers import Answerer
from plant.query.limits import Budget
from plant.rows.arrow import columns_from_arrow
from plant.rows.schema import META_COLUMNS, Schema, Table

ATTEMPTS = 5
"""Versions that a question is tried on, if each is replaced while it is read."""

Today = Callable[[questions.Select, Budget], pa.Table]
"""Asks the rdb for rows."""


class Version(Mapping[str, "Stored"]):
    """The tables of one catalogue, as they were known as of a seq; None: as they are."""

    def __init__(self, catalogue: Catalogue, schema: Schema, folder: Path, footers: Footers, as_of: int | None = None):
        self.catalogue = catalogue
        self._tables = {t.name: Stored(HistoryView(t, folder, footers, catalogue, as_of)) for t in schema.values()}

    def __getitem__(self, name: str) -> "Stored":
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)


class Stored:
    """One table of a version."""

    def __init__(self, view: HistoryView) -> None:
        self._view = view

    @property
    def declaration(self) -> Table:
        return self._view.declaration

    def snapshot(self) -> HistoryView:
        return self._view


class HistoryAnswerer:
    """Answers questions about the history in `folder`, of the tables of `schema`; any thread.

    `today` gives the rows that came since, for the questions that are about both. The schema metadata of an answer say
    up to which seq the history held everything, `through`, and which seq the last closed day ended with, `closed`.
    `warehouse` is the archive's, from which days are answered that only it has; None: they are not there.
    """

    def __init__(
        self, folder: Path, schema: Schema, today: Today | None = None, warehouse: Warehouse | None = None
    ) -> None:
        self._folder = folder
        self._schema = schema
        self._today = today
        self._footers = Footers(archived=partial(ArchivedFooter, warehouse) if warehouse else None)
        self._sql = HistorySql(folder)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._version = Version(Catalogue(), schema, folder, self._footers)

    def answer(self, question: questions.Question, budget: Budget | None = None) -> pa.Table:
        """Return the answer. Raises HistoryError, and what plant.query.answers.Answerer.answer does."""
        budget = budget or Budget()
        for _ in range(ATTEMPTS):
            version = self.version()
            try:
                return self._answer(version, question, budget)
            except (MissingFile, Released) as error:
                if self.version() is version:
                    raise
                outrun = error
        raise outrun

    def version(self) -> Version:
        """Return the tables of the catalogue as it is now. Raises HistoryError if it cannot be read."""
        try:
            found = (self._folder / CATALOGUE).stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except FileNotFoundError:
            seen = None
        with self._lock:
            if seen is None or seen != self._seen:
                catalogue = Catalogue.load(self._folder)
                if catalogue != self._version.catalogue:
                    self._version = Version(catalogue, self._schema, self._folder, self._footers)
                self._seen = seen
            return self._version

    def _answer(self, version: Version, question: questions.Question, budget: Budget) -> pa.Table:
        as_of = getattr(question, "as_of", None)
        tables: Mapping[str, Stored] = version
        if as_of is not None:
            if as_of > version.catalogue.through:
                raise HistoryError(
                    f"as_of: history holds the rows up to seq {version.catalogue.through:,} so far, found {as_of:,}; "
                    "what came later is not known as of then"
                )
            tables = Version(version.catalogue, self._schema, self._folder, self._footers, as_of)
            question = replace(question, as_of=None)  # type: ignore[call-arg]
        if isinstance(question, questions.Sql) and question.today:
            if self._today is None or as_of is not None:
                raise QueryError("today: this history is asked alone, or as of an earlier seq; ask without today")
            whole = {name: WithToday(table.snapshot(), self._today) for name, table in version.items()}
            found = self._sql.answer(question.query, whole, question.beyond, budget)
            facts = {"through": version.catalogue.through, "closed": version.catalogue.closed}
            if seqs := [table.seq for table in whole.values() if table.seq is not None]:
                facts["seq"] = min(seqs)
            return found.replace_schema_metadata({name: str(value) for name, value in facts.items()})
        return Answerer(tables, self._sql).answer(question, budget)


class Released(HistoryError):
    """Memory let go of rows that this version of the history does not hold yet; the newest one does."""


class WithToday:
    """A table of the history and the rows that came since, for SQL."""

    def __init__(self, view: HistoryView, today: Today) -> None:
        self.declaration = view.declaration
        self.files = view.files
        self.seq: int | None = None  # up to which everything is there, once it was asked
        self._view = view
        self._today = today

    def sources(self, beyond: int, budget: Budget) -> tuple[list[File], pa.Table]:
        """Return files, and rows in memory; see HistoryView.sources."""
        through = max(beyond, self._view.facts["through"])
        every = (*self.declaration.names, *META_COLUMNS)
        rows = self._today(questions.Select(self.declaration.name, columns=every, beyond=through), budget)
        facts = rows.schema.metadata or {}
        released, self.seq = int(facts.get(b"released", 0)), int(facts.get(b"seq", through))
        if released > self._view.facts["through"]:
            raise Released(
                f"{self.declaration.name}: the rdb has let go of rows up to seq {released:,}, but history holds them "
                f"up to {through:,} only; `plant status` tells how the hdb is"
            )
        return self._view.sources(beyond, budget, columns_from_arrow(rows, self.declaration, every))
