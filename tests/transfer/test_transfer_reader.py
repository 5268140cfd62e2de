"""Files of somebody else's making: the line a row stands on, Excel sheets, a time divided into date and clock."""

import datetime as dt
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from plant.files.foreign_file import KEPT_REASONS
from plant.files.formats import open_file
from plant.transfer.reader import Reader
from plant.transfer.recording import Recording


def read(path: Path, table: str = "trades", **options: Any) -> Recording:
    return Reader(table, **options).file(path)


def sheet(path: Path, rows: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def moments(recording: Recording) -> list[str]:
    return [f"{pd.Timestamp(t):%Y-%m-%d %H:%M:%S}" for t in recording.time.tolist()]


def test_every_row_and_every_reason_has_its_line_also_behind_blank_and_broken_lines(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text(
        "time,price,size\n"  # line 1
        "2024-01-02,1,1\n"
        "\n\n"
        "2024-01-03,1\n"  # 5: too few fields
        "2024-01-04,2,2\n"
        '2024-01-05,"3,3\n'  # 7: an open quote
        "2024-01-06,n/a,4\n"  # 8
        "\r\n"
        "2024-01-07,5,5\n"  # 10
    )
    found = read(path)
    assert found.lines.tolist() == [2, 6, 10]
    assert found.reasons == [
        (5, "expected 3 fields, found 2: '2024-01-03,1'"),
        (7, "a quote is not closed: '2024-01-05,\"3,3'"),
        (8, "price: expected a number, found 'n/a'"),
    ]
    assert (found.skipped, found.unit) == (3, "line")
    assert found.reason == "X.csv, line 5, expected 3 fields, found 2: '2024-01-03,1'"


def test_reasons_are_bounded_and_rows_counted(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("time,price,size\n" + "x,1,1\n" * (2 * KEPT_REASONS) + "1,2\n" * (2 * KEPT_REASONS))
    found = read(path)
    assert (len(found.reasons), found.skipped, len(found.time)) == (KEPT_REASONS, 4 * KEPT_REASONS, 0)
    assert found.reasons[0][0] == 2


def test_an_excel_sheet_gives_the_same_rows_as_the_csv(tmp_path: Path) -> None:
    days = [dt.datetime(2024, 1, 2, 9, 30 + i) for i in range(3)]
    rows: list[list[Any]] = [[], ["Date Time", "Ticker", "Last", "Qty", "ID"]]
    rows += [[day, "AAPL", 10 + i / 4, 5, 71 + i] for i, day in enumerate(days)]
    path = tmp_path / "X.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in rows[1:]) + "\n")
    one, two = read(sheet(tmp_path / "X.xlsx", rows)), read(path)
    assert moments(one) == moments(two) == ["2024-01-02 09:30:00", "2024-01-02 09:31:00", "2024-01-02 09:32:00"]
    assert one.numbers["price"].tolist() == two.numbers["price"].tolist() == [10.0, 10.25, 10.5]
    assert one.texts["trade_id"].tolist() == two.texts["trade_id"].tolist() == ["71", "72", "73"]
    assert one.where["sym"] == "Ticker"
    assert (one.lines.tolist(), one.unit) == ([3, 4, 5], "row")


@pytest.mark.parametrize("name", ["X.csv", "X.xlsx"])
def test_date_and_time_of_day_in_two_columns_are_one_time(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "X.csv":
        path.write_text("Date,Time,price,size\n01/12/2024,09:30,1,1\n01/12/2024,4:05 PM,1,1\n01/13/2024,,1,1\n")
    else:
        first, second = dt.datetime(2024, 1, 12), dt.datetime(2024, 1, 13)
        rows = [[first, dt.time(9, 30), 1, 1], [first, dt.time(16, 5), 1, 1], [second, None, 1, 1]]
        sheet(path, [["Date", "Time", "price", "size"], *rows])
    found = read(path, time_zone="America/New_York")
    assert moments(found) == ["2024-01-12 14:30:00", "2024-01-12 21:05:00", "2024-01-13 05:00:00"]
    assert found.where["time"] == "Date + Time"


def test_a_whole_time_beside_a_date_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "X.csv"
    path.write_text("date,time,price,size\n2024-01-02,2024-01-02 09:30,1,1\n")
    assert moments(read(path)) == ["2024-01-02 09:30:00"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20240102 093000", "2024-01-02 09:30:00"),
        ("02.01.2024 09:30:00.250", "2024-01-02 09:30:00"),
        ("2024/01/02 09:30", "2024-01-02 09:30:00"),
        ("1/13/2024 9:30:00 AM", "2024-01-13 09:30:00"),
    ],
)
def test_other_forms_of_a_time_are_read(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "X.csv"
    path.write_text(f"time,price,size\n{text},1,1\n")
    assert moments(read(path)) == [expected]


def test_a_file_that_is_no_excel_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "X.xlsx").write_bytes(b"PK no")
    with pytest.raises(ValueError, match=r"X.xlsx cannot be read: no Excel file"):
        open_file(tmp_path / "X.xlsx")
    assert open_file(sheet(tmp_path / "empty.xlsx", [])).names == []
