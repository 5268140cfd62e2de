"""Files as nobody should write them, and many do: made by chance, for readers that must agree about them."""

import datetime as dt
from collections.abc import Callable
from random import Random
from typing import Any

Maker = Callable[[], str]

ODD_TIMES = (
    *("", "n/a", "0", "5", "99999999999999999999999", "20241301", "2024-02-30", "2500-01-01", "1600-01-01", "1.7e9"),
    *("2024-03-04 24:00:00", "31/31/2024", "13/13/2024 10:00", "-5", "2024-03-04T10:00:00z", " 2024-03-04 10:00 "),
    *("20240304093000123456789", "0001709544600", "1709544600.0", "2024-03-04 09:30:00.1234567891", "2024-03-04 9:30"),
    *("4-3-2024", "3/4/2024 9:30", "0x10", "+1709544600", "20240310023000", "20241103013000", "1709544600000000000000"),
    *("2024-03-10 02:30:00", "2024-11-03 01:30:00", "13:30:00 PM", "4/3/2024 0:30 AM"),
)
ODD_NUMBERS = (
    *("", "n/a", "nan", "NaN", "-nan", "inf", "-inf", "+1.5", " 2 ", "1_000", "0x10", "1e5", "1e400", "1,5", "1.234,5"),
    *("1,234.5", "1,234", "1.234", "1.234.567", "-", "--1", "1d5", ".5", "5.", "-1", "0", "9223372036854775807"),
    *("9223372036.854775807", "1.7976931348623157e308", "9223372036854775808", "-0", "007", "1e", "NULL"),
)
ODD_TEXTS = (" A ", "", "007", " 7 ", "a\nb", "c\r\n\r\nd", "e,f", 'g"h', "\ufffd", "Ä", "A\u00a0", "\t")
ODD_LINES = ("", "junk", "  ", '"', "\r", ",,,,,,,,,,,,", 'x"y')

_FORMS: tuple[str, ...] = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S.%f-0500", "%Y-%m-%d"),
    *("%Y%m%d", "%Y%m%d%H%M%S", "%Y%m%d%H%M%S%f", "%Y%m%d%H%M", "%Y%m%d%H", "%Y%m%d%H%M%S.%f", "%Y%m%dT%H%M%S"),
    *("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S.%f", "%m/%d/%Y %I:%M %p", "%Y/%m/%d %H:%M:%S"),
    *("%d/%m/%Y, %H:%M:%S", "%Y%m%d %H:%M:%S"),
)
_UNITS = (1, 10**3, 10**6, 10**9)
_DATES = ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y")
_CLOCKS = ("%H:%M:%S", "%H:%M", "%H%M%S", "%H:%M:%S.%f", "%I:%M:%S %p", "%H%M")
_NUMBERS: tuple[Callable[[float], str], ...] = (
    lambda v: f"{v:.2f}",
    lambda v: f"{v:.0f}",
    lambda v: f"{v:.2f}".replace(".", ","),
    lambda v: f"{100 * v:,.2f}",
    lambda v: f"{v:.3f}",
)


def nasty_file(random: Random, columns: dict[str, str]) -> tuple[str, str]:
    """Return the text of a file, and its delimiter.

    columns   the names of the columns, each with what it holds: time, pair (two columns: date and time), number, whole,
              symbol, text
    """
    odds = random.choice((0.0, 0.0, 0.02, 0.3))
    delimiter = random.choice(",,;\t|")
    names: list[str] = []
    makers: list[Maker] = []
    numbers = random.choice(_NUMBERS)
    for name, kind in columns.items():
        names += ["date", "time"] if kind == "pair" else [name]
        makers += [_maker(random, each, numbers, odds) for each in (["date", "clock"] if kind == "pair" else [kind])]
    always = random.random() < 0.2

    def line(values: list[str]) -> str:
        return delimiter.join(_quoted(value, delimiter, always) for value in values)

    lines = [*random.choice(([], [], ["a title", ""])), line(names)]
    for _ in range(random.choice((1, 3, 30, 150))):
        lines.append(line([make() for make in makers]))
        if random.random() < odds / 4:
            lines.append(random.choice((*ODD_LINES, lines[-1][: len(lines[-1]) // 2], '"' + lines[-1])))
        if random.random() < odds / 4:
            lines.append(lines[-1])
    end = random.choice(("\n", "\n", "\r\n", "\r"))
    return end.join(lines) + random.choice(("", end)), delimiter


def _quoted(value: str, delimiter: str, always: bool) -> str:
    if always or any(mark in value for mark in (delimiter, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value


def _maker(random: Random, kind: str, numbers: Callable[[float], str], odds: float) -> Maker:
    odds *= random.choice((0, 0, 1))
    forms: dict[str, Callable[[], Maker]] = {
        "time": lambda: _times(random),
        "date": lambda: _dates(random, random.choice(_DATES)),
        "clock": lambda: _dates(random, random.choice(_CLOCKS)),
        "number": lambda: lambda: numbers(random.uniform(0.1, 5000)),
        "whole": lambda: lambda: str(random.randint(-5, 10**18)),
        "symbol": lambda: lambda: random.choice(("AAPL", "MSFT", "X")),
        "text": lambda: lambda: str(random.randint(0, 60)),
    }
    odd: dict[str, Any] = {"time": ODD_TIMES, "date": ODD_TIMES, "clock": ("", "9:30", "n/a", "24:00", "86400", "930")}
    others = odd.get(kind, ODD_NUMBERS if kind in ("number", "whole") else ODD_TEXTS)
    make = forms[kind]()
    return lambda: random.choice(others) if random.random() < odds else make()


def _times(random: Random) -> Maker:
    if random.random() < 0.6:
        return _dates(random, random.choice(_FORMS))
    unit, decimals = random.choice(_UNITS), random.choice((0, 0, 3, 6))

    def unix() -> str:
        seconds = int(_moment(random).replace(tzinfo=dt.UTC).timestamp())
        number = f"{seconds * unit + random.randrange(unit)}"
        return f"{number}.{random.randrange(10**decimals)}" if decimals else number

    return unix


def _dates(random: Random, form: str) -> Maker:
    return lambda: _moment(random).strftime(form)


def _moment(random: Random) -> dt.datetime:
    day = dt.datetime(random.choice((2024, 2024, 2005, 1999)), random.randint(1, 12), random.randint(1, 28))
    return day + dt.timedelta(
        seconds=random.randrange(86_400), microseconds=random.choice((0, random.randrange(10**6)))
    )
