"""The archive's tables in Iceberg's catalogue: which files a table has, and one snapshot that makes it have others.

A table is loaded anew whenever it is looked at or changed, and pyiceberg's own repetition of a commit is off: a commit
that somebody else came before is refused, and what to do is decided again from what is there then. pyiceberg's
`add_files` on a table that was loaded earlier adds a file that is there already once more, and says nothing.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from archive.copies import Unfit, file_of
from archive.steps import difference
from archive.stores import first_line
from plant.errors import HistoryError, PlantError, SettingsError, Unavailable
from plant.history.catalogue import File
from plant.history.projection import MONTH, REST
from plant.history.warehouse import Warehouse
from plant.runtime.alerting import VARIABLE
from plant.runtime.archiving import ArchiveSettings

NAME = "tickplant"
"""The catalogue's name, as pyiceberg's own settings have it (PYICEBERG_CATALOG__TICKPLANT__TOKEN, ...)."""

OWNER = "tickplant.owner"
"""Property of a table: the archive that it is of."""

READERS = 8
"""Footers that are read at once."""

_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


class Tables:
    """The tables of one archive.

    settings      its section
    warehouse     where its files lie
    data          the data folder, where the catalogue is if the section names none
    environment   has what the catalogue's URI names as ${NAME}
    owner         tells this archive from others that may use the same catalogue

    Raises SettingsError if pyiceberg is missing or cannot use the catalogue's URI, Unavailable if it does not answer.
    """

    def __init__(
        self, settings: ArchiveSettings, warehouse: Warehouse, data: Path, environment: Mapping[str, str], owner: str
    ) -> None:
        catalog = _imported()
        uri = _filled(settings.catalog, environment) or f"sqlite:///{(data / 'archive' / 'catalog.db').absolute()}"
        kind = "rest" if uri.startswith(("http://", "https://")) else "sql"
        self._rest = kind == "rest"
        options = {"type": kind, "uri": uri, "warehouse": warehouse.place, **_of_store(warehouse)}
        if self._rest:  # where a credential is exchanged for a token, unless the options say so
            options["oauth2-server-uri"] = f"{uri.rstrip('/')}/v1/oauth/tokens"
        given = {name: _filled(value, environment) for name, value in settings.catalog_options.items()}
        self._namespace = settings.namespace
        self.warehouse = warehouse
        self._owner = owner
        self.locations: dict[str, str] = {}
        """Where the newest metadata of each table are, as far as `planned` and `commit` saw."""
        with _answered("the catalogue"):
            self._catalog = catalog.load_catalog(NAME, **{**options, **given})

    def planned(self) -> dict[str, tuple[str, ...]]:
        """Return the files of the newest snapshot of each table: by name, each as often as it is there.

        One of which other engines have deleted rows counts twice, so that it is put there again.
        """
        with _answered("the catalogue"):
            found = {}
            self.locations.clear()
            for namespace, prefix in ((self._namespace, ""), (f"{self._namespace}_replaced", "replaced/")):
                if not self._catalog.namespace_exists(namespace):
                    continue
                for *_, name in self._catalog.list_tables(namespace):
                    table = self._ours(self._catalog.load_table((namespace, name)), f"{namespace}.{name}")
                    found[f"{prefix}{name}"] = self._files_of(table)
                    self.locations[f"{prefix}{name}"] = table.metadata_location
        return found

    def commit(self, name: str, files: Mapping[str, File], facts: Mapping[str, Any]) -> bool:
        """Make one snapshot of a table so that it has exactly these files; return whether it had others.

        files   those that are wanted of the table, by name
        facts   what the snapshot's summary tells besides: "generation" becomes tickplant.generation

        What is to change is decided from the table as it is loaded here, and the commit holds only if it is still that.
        Raises HistoryError if a file is not what it should be, or the result is not; Unavailable if somebody else was
        faster.
        """
        with _answered(f"the table {name}"):
            table = self._loaded(name)
            change = difference(name, set(files), self._files_of(table) if table else ())
            if change is None:
                self.locations[name] = table.metadata_location
                return False
            fresh = {each: self._described(files[each]) for each in sorted(change.add | change.again)}
            table = self._fitted(name, table, list(fresh.values()))
            gone = self._data_files(table, change.drop | change.again)
            with ThreadPoolExecutor(READERS, "footers") as readers:
                made = list(readers.map(lambda each: _data_file(table, self.warehouse.uri(each)), fresh))
            summary = {f"tickplant.{fact}": str(value) for fact, value in facts.items()}
            with table.transaction() as transaction:
                producer = transaction.update_snapshot(snapshot_properties=summary)
                with producer.overwrite() if gone else producer.fast_append() as snapshot:
                    for file in gone:
                        snapshot.delete_data_file(file)
                    for file in made:
                        snapshot.append_data_file(file)
            table = self._catalog.load_table(self._identifier(name))
            there, self.locations[name] = self._files_of(table), table.metadata_location
        if sorted(there) != sorted(files):
            raise HistoryError(
                f"{name}: its newest snapshot should have {len(files):,} files, found {len(there):,}: somebody else "
                "writes this table; it is looked at again"
            )
        return True

    @property
    def beside(self) -> bool:
        """Whether Iceberg's own files lie in the warehouse; with a REST catalogue they lie where that says."""
        return not self._rest

    @contextmanager
    def loaded(self, name: str) -> Iterator[Any]:
        """Give a table as it is now. Raises Unavailable for whatever its libraries raise meanwhile."""
        with _answered(f"the table {name}"):
            yield self._catalog.load_table(self._identifier(name))

    def _identifier(self, table: str) -> tuple[str, str]:
        *replaced, name = table.split("/")
        return (f"{self._namespace}_replaced" if replaced else self._namespace), name

    def _files_of(self, table: Any) -> tuple[str, ...]:
        names = []
        for task in table.scan().plan_files():
            names += [self.warehouse.name(task.file.file_path)] * (2 if task.delete_files else 1)
        return tuple(names)

    def _data_files(self, table: Any, names: frozenset[str]) -> list[Any]:
        """Return files of a table, each once however often it is there."""
        files = (task.file for task in table.scan().plan_files()) if names else ()
        return list({f.file_path: f for f in files if self.warehouse.name(f.file_path) in names}.values())

    def _described(self, file: File) -> pa.Schema:
        """Return the columns of a copy that is in the store. Raises HistoryError if it is not that of `file`."""
        found, schema = file_of(self.warehouse.filesystem, self.warehouse.path(file.path), file.path)
        if (found.rows, found.row_sum) != (file.rows, file.row_sum):
            raise Unfit(
                file.path,
                f"{self.warehouse.uri(file.path)}: expected the copy of {file.rows:,} rows with the sum "
                f"{file.row_sum:#018x}, found that of {found.rows:,} with {found.row_sum:#018x}: another plant's? Give "
                "each plant a warehouse of its own",
            )
        return schema

    def _loaded(self, name: str) -> Any:
        """Return a table as it is now, None if there is none; one that the catalogue has lost is found again."""
        from pyiceberg.exceptions import NoSuchTableError

        identifier = self._identifier(name)
        try:
            found = self._catalog.load_table(identifier)
        except NoSuchTableError:
            self._catalog.create_namespace_if_not_exists(identifier[0])
            metadata = None if self._rest else self._newest_metadata(name)
            if metadata is None:
                return None
            found = self._catalog.register_table(identifier, metadata)
        return self._ours(found, ".".join(identifier))

    def _ours(self, table: Any, name: str) -> Any:
        """Return a table. Raises HistoryError if it is not this archive's: its files would be dropped."""
        if MONTH not in {field.name for field in table.spec().fields}:
            raise HistoryError(f"{name} is no table of this archive: it is not partitioned by {MONTH}")
        owner = table.properties.get(OWNER, self._owner)
        if owner != self._owner:
            raise HistoryError(
                f"{name} is a table of another archive ({owner}; this one is {self._owner}) in the same catalogue: "
                "give each plant an [archive] namespace of its own"
            )
        return table

    def _fitted(self, name: str, table: Any, schemas: list[pa.Schema]) -> Any:
        """Return a table that has every column of files; made, if there is none yet."""
        if table is None:
            return self._made(name, schemas)
        kinds = {f.name: f.type for schema in schemas for f in schema}
        if more := [column for column in kinds if column not in table.schema().column_names]:
            with table.update_schema() as change:
                for column in more:
                    change.add_column(column, _kind_of(kinds[column]), _meaning_of(column))
        return table

    def _made(self, name: str, schemas: list[pa.Schema]) -> Any:
        from pyiceberg.partitioning import PartitionField, PartitionSpec
        from pyiceberg.schema import Schema
        from pyiceberg.transforms import IdentityTransform
        from pyiceberg.types import NestedField

        kinds = {f.name: f.type for schema in schemas for f in schema}
        fields = [NestedField(i, n, _kind_of(k), required=False, doc=_meaning_of(n)) for i, (n, k) in
                  enumerate(kinds.items(), 1)]  # fmt: skip
        schema = Schema(*fields)
        month = PartitionField(schema.find_field(MONTH).field_id, 1000, IdentityTransform(), MONTH)
        return self._catalog.create_table(
            self._identifier(name),
            schema,
            None if self._rest else self.warehouse.uri(name),  # who serves a REST catalogue says where metadata lie
            PartitionSpec(month),
            properties={
                **_PROPERTIES,
                OWNER: self._owner,
                "schema.name-mapping.default": schema.name_mapping.model_dump_json(),
            },
        )

    def _newest_metadata(self, table: str) -> str | None:
        """Return where the newest metadata of a table are that the catalogue does not know: it was lost.

        What cannot be read whole never counted: who wrote it was killed meanwhile.
        """
        from pyiceberg.exceptions import ValidationError
        from pyiceberg.table.metadata import TableMetadataUtil

        folder, filesystem = self.warehouse.path(f"{table}/metadata"), self.warehouse.filesystem
        found = filesystem.get_file_info(pafs.FileSelector(folder, allow_not_found=True))
        files = [f for f in found if f.base_name.endswith(".metadata.json")]
        for file in sorted(files, key=lambda f: (f.base_name.split("-")[0], f.mtime_ns or 0), reverse=True):
            with filesystem.open_input_stream(file.path) as stream:
                data = stream.read()
            try:
                TableMetadataUtil.parse_raw(data.decode())
            except (ValueError, ValidationError):
                continue
            return self.warehouse.uri(file.path.removeprefix(f"{self.warehouse.root}/"))
        return None


def _data_file(table: Any, uri: str) -> Any:
    from pyiceberg.io.pyarrow import parquet_file_to_data_file

    return parquet_file_to_data_file(table.io, table.metadata, uri)


def _kind_of(kind: pa.DataType) -> Any:
    from pyiceberg import types

    if pa.types.is_timestamp(kind):
        return types.TimestamptzType()
    kinds = {pa.int32(): types.IntegerType, pa.int64(): types.LongType, pa.float64(): types.DoubleType}
    return kinds.get(kind, types.StringType)()


def _meaning_of(name: str) -> str:
    if name == MONTH:
        return "of the file's first day: what the table is partitioned by"
    return f"what {name.removesuffix(REST)} has beyond its us, ns, 0 to 999" if name.endswith(REST) else ""


def _of_store(warehouse: Warehouse) -> dict[str, str]:
    if not warehouse.is_s3:
        return {"py-io-impl": "archive.durable.DurableFileIO"}
    access, options = warehouse.access, {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
    options |= {"s3.access-key-id": access.key, "s3.secret-access-key": access.secret, "s3.region": access.region}
    if access.token:
        options["s3.session-token"] = access.token
    return options | ({"s3.endpoint": warehouse.endpoint} if warehouse.endpoint else {})


def _filled(text: str, environment: Mapping[str, str]) -> str:
    missing = [name for name in VARIABLE.findall(text) if not environment.get(name)]
    if missing:
        raise SettingsError(
            f"[archive]: the environment has no {missing[0]}, which it names; set it, or correct the name"
        )
    return VARIABLE.sub(lambda match: environment[match[1]], text)


def _imported() -> Any:
    try:
        import pyiceberg.catalog
    except ImportError as error:
        raise SettingsError(
            f"[archive] needs pyiceberg, which is not installed ({error}); pip install 'tickplant[iceberg]', or remove "
            "[archive] warehouse"
        ) from None
    return pyiceberg.catalog


@contextmanager
def _answered(what: str) -> Iterator[None]:
    """Turn what libraries raise while they talk to a store or a catalogue into Unavailable: it is tried again."""
    try:
        yield
    except PlantError:
        raise
    except Exception as error:  # of SQLAlchemy, requests, pyarrow, pyiceberg
        raise Unavailable(f"{what}: {type(error).__name__}: {first_line(error)}") from error
