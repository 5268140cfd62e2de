"""An answer as what a user holds: pandas, Arrow, Polars, or a dict of numpy arrays."""

from typing import TYPE_CHECKING, Any

from plant.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

FRAMES = ("pandas", "pandas-arrow", "arrow", "polars", "numpy")


def as_frame(table: "pa.Table", frames: str) -> Any:
    """Return an Arrow table as one of FRAMES.

    pandas        numpy columns: times datetime64[ns, UTC], symbols category, null is NaN; ints with nulls Int64
    pandas-arrow  every column on the bytes of the answer (pandas.ArrowDtype), null is NA
    arrow         the table
    polars        a DataFrame on the bytes of the answer
    numpy         dict of arrays: times datetime64[ns] in UTC, symbols and texts str objects, null is NaN; ints with
                  nulls are masked arrays

    An int is the one that it was, all 64 bits of it; those in lists, structs and maps of SQL are ints of Python.
    """
    check_frames(frames)
    if frames == "arrow":
        return table
    if frames == "polars":
        import polars

        return polars.from_arrow(table)
    if frames == "numpy":
        from plant.query.numpy_frames import as_numpy

        return {name: as_numpy(table.column(name)) for name in table.column_names}
    if frames == "pandas-arrow":
        import pandas

        return table.to_pandas(types_mapper=pandas.ArrowDtype)
    from plant.query.pandas_frames import as_pandas

    return as_pandas(table)


def check_frames(frames: str) -> None:
    """Raise QueryError for a name that is none of FRAMES."""
    if frames not in FRAMES:
        raise QueryError(f"frames must be one of {', '.join(FRAMES)}; found {frames!r}")
