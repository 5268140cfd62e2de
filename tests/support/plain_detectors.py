"""Detectors by their definitions, slowly: plain loops over all bars, each object by itself, nothing carried along.

`Days` are the sessions from exchange_calendars itself, or dates of UTC; `everything` gives of each id its events.
"""

import datetime as dt
import warnings
from bisect import bisect_right
from functools import cache
from typing import Any, NamedTuple

import exchange_calendars as xcals
import pandas as pd

MINUTE = 60 * 10**9
DAY = 86_400 * 10**9
NAN = float("nan")
OPEN = -(2**63)


class B(NamedTuple):
    """A closed bar; kind "pre", "regular" or "post"; day: place of its session."""

    time: int
    end: int
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    kind: str
    day: int

    @property
    def top(self) -> float:
        """The upper end of the body."""
        return max(self.o, self.c)

    @property
    def bot(self) -> float:
        """The lower end of the body."""
        return min(self.o, self.c)


@cache
def schedule(code: str) -> tuple[list[dt.date], list[int], list[int], list[int]]:
    """Return dates, openings, closes and beginnings of the pre-market of an exchange around the days that tests use."""
    with warnings.catch_warnings():  # exchange_calendars 4.13 uses what pandas 3.1 calls old
        warnings.simplefilter("ignore")
        table = xcals.get_calendar(code, start="2013-09-01", end="2027-12-31").schedule
    dates = [day.date() for day in table.index]
    opens, closes = ([int(time.value) for time in table[name]] for name in ("open", "close"))
    return dates, opens, closes, [int(pd.Timestamp(f"{day} 04:00", tz="America/New_York").value) for day in dates]


class Days:
    """Sessions by their place: date, week, opening, close, and the beginning of the pre-market."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.table = schedule(code) if code else None

    def date(self, day: int) -> dt.date:
        """Return the date of a session."""
        return self.table[0][day] if self.table else dt.date(1970, 1, 1) + dt.timedelta(days=day)

    def week(self, day: int) -> dt.date:
        """Return the Monday of its week."""
        return self.date(day) - dt.timedelta(days=self.date(day).weekday())

    def open(self, day: int) -> int:
        """Return its opening, ns."""
        return self.table[1][day] if self.table else day * DAY

    def close(self, day: int) -> int:
        """Return its close, ns."""
        return self.table[2][day] if self.table else (day + 1) * DAY

    def pre(self, day: int) -> int:
        """Return the beginning of its pre-market, ns."""
        return self.table[3][day] if self.table else day * DAY

    def post(self, day: int) -> int:
        """Return the end of what comes after it, ns."""
        return self.close(day) + 4 * 60 * MINUTE if self.table else (day + 1) * DAY

    def day_of(self, time: int) -> int:
        """Return the session that a time lies in, pre- and post-market included."""
        return bisect_right(self.table[3], time) - 1 if self.table else time // DAY


def bars_of(minutes: dict[int, tuple[float, float, float, float]], interval: str, days: Days) -> list[B]:
    """Return the bars of an interval that 1m bars (start -> open, high, low, close) make."""
    found: dict[int, B] = {}
    for time in sorted(minutes):
        o, h, low, c = minutes[time]
        day = days.day_of(time)
        kind = "pre" if time < days.open(day) else "regular" if time < days.close(day) else "post"
        since, until = {
            "pre": (days.pre(day), days.open(day)),
            "regular": (days.open(day), days.close(day)),
            "post": (days.close(day), days.post(day)),
        }[kind]
        if interval == "1d":
            if kind != "regular":
                continue
            zone = "UTC" if not days.code else "America/New_York"
            start, end = int(pd.Timestamp(str(days.date(day)), tz=zone).value), until
        else:
            length = int(interval[:-1]) * MINUTE
            begin = 0 if not days.code else since
            start = begin + (time - begin) // length * length
            end = start + length if not days.code else min(start + length, until)
        p = found.get(start)
        found[start] = B(start, end, o, h, low, c, kind, day) if p is None else p._replace(
            h=max(p.h, h), l=min(p.l, low), c=c
        )  # fmt: skip
    return list(found.values())


def atrs(bars: list[B]) -> list[float]:
    """Return Wilder's average true range with each bar: the mean of the first 14, then 1/14 of each new one."""
    found, value = [], 0.0
    for i, bar in enumerate(bars):
        reach = bar.h - bar.l if not i else max(bar.h, bars[i - 1].c) - min(bar.l, bars[i - 1].c)
        value += 1 / min(i + 1, 14) * (reach - value)
        found.append(value if i >= 13 else NAN)
    return found


Event = tuple[int, str, dict[str, Any]]
"""Time, action, and the columns that count."""

Events = dict[str, list[Event]]


def regular(bars: list[B]) -> list[B]:
    """Return the bars of regular sessions."""
    return [bar for bar in bars if bar.kind == "regular"]


def stamp(time: int) -> str:
    """Return a time as ids have it."""
    return pd.Timestamp(time).strftime("%Y-%m-%dT%H:%M:%SZ")


def level_events(
    price: float, side: int, since: int, until: int, bars: list[B], of: list[float]
) -> list[tuple[int, str]]:
    """Return when a level is tested and broken by the bars that end behind `since` and by `until`; side 0: either."""
    found: list[tuple[int, str]] = []
    touched = False
    for bar, atr in zip(bars, of, strict=True):
        if not since < bar.end <= until:
            continue
        if side == 0:
            side = (bar.o < price) - (bar.o > price) or (bar.c < price) - (bar.c > price)
        away = bar.c - price if side > 0 else price - bar.c
        if side and away > 0 and away >= 0.1 * atr:
            return [*found, (bar.end, "broken")]
        if not touched and bar.l <= price <= bar.h:
            touched = True
            found.append((bar.end, "tested"))
    return found


def daily(sym: str, minutes: list[B], bars: list[B], days: Days) -> Events:
    """Return prev_day_*, prev_week_* and floor_pivots of 1m and 1d bars."""
    fine = regular(minutes)
    of = atrs(fine)
    made: list[tuple[str, str, float, int, int, int]] = []  # id, type, price, side, decided, end
    for bar in bars:
        date, until = days.date(bar.day), days.close(bar.day + 1)
        h, low, c = bar.h, bar.l, bar.c
        for name, price, side in (("high", h, 1), ("low", low, -1), ("close", c, 0), ("open", bar.o, 0)):
            made.append((f"prev_day_{name}/{sym}/{date}", f"prev_day_{name}", price, side, bar.end, until))
        p = (h + low + c) / 3
        pivots = {"P": p, "R1": 2 * p - low, "S1": 2 * p - h, "R2": p + (h - low), "S2": p - (h - low)}
        pivots |= {"R3": h + 2 * (p - low), "S3": low - 2 * (h - p)}
        for name, price in pivots.items():
            side = {"P": 0, "R": 1, "S": -1}[name[0]]
            made.append((f"floor_pivots/{sym}/{date}/{name}", "floor_pivots", price, side, bar.end, until))
    for i, bar in enumerate(bars):
        week = days.week(bar.day)
        if i + 1 < len(bars) and days.week(bars[i + 1].day) == week:
            continue
        if days.week(bar.day + 1) != week:
            decided = bar.end  # the last session of its week
        elif i + 1 < len(bars):
            decided = bars[i + 1].end
        else:
            continue
        following = bar.day
        while days.week(following) == week:
            following += 1
        last = following
        while days.week(last + 1) == days.week(following):
            last += 1
        if days.close(last) <= decided:
            continue
        mine = [one for one in bars if days.week(one.day) == week]
        prices = (("high", max(b.h for b in mine), 1), ("low", min(b.l for b in mine), -1), ("close", bar.c, 0))
        for name, price, side in prices:
            key = f"prev_week_{name}"
            made.append((f"{key}/{sym}/{days.date(bar.day)}", key, price, side, decided, days.close(last)))
    found: Events = {}
    for id_, type_, price, side, decided, until in made:
        what = {"type": type_, "kind": "level", "interval": "1d", "price": price}
        what |= {"start_at": decided, "end_at": until}
        events = [(decided, "create", what | {"state": "active"})]
        states = level_events(price, side, decided, until, fine, of)
        events += [(time, "update", what | {"state": state}) for time, state in states]
        proofs = [bar.end for bar in bars if bar.end >= until]
        there = not fine or fine[-1].end >= until or len(proofs) > 1
        if proofs and there and "broken" not in [state for _, state in states]:
            events.append((proofs[0], "update", what | {"state": "expired"}))
        found[id_] = events
    return found


def openings(sym: str, minutes: list[B], days: Days, lengths: tuple[int, ...]) -> Events:
    """Return premarket_* and opening_range_* of 1m bars."""
    fine = regular(minutes)
    of = atrs(fine)
    found: Events = {}
    for day in sorted({bar.day for bar in minutes}):
        date, until = days.date(day), days.close(day)
        mine = [bar for bar in minutes if bar.day == day]
        after = [bar.end for bar in minutes if bar.end >= until]
        cases: list[tuple[str, str, int, list[tuple[int, str, float, int]]]] = []
        pre = [bar for bar in mine if bar.kind == "pre"]
        for name, side in (("high", 1), ("low", -1)):
            grown: list[tuple[int, str, float, int]] = []
            for bar in pre:
                price = bar.h if side > 0 else bar.l
                if not grown or (price - grown[-1][2]) * side > 0:
                    grown.append((bar.end, "update" if grown else "create", price, bar.time))
            cases.append((f"premarket_{name}/{sym}/{date}", f"premarket_{name}", side, grown))
            for length in lengths:
                end = days.open(day) + length * MINUTE
                within = [bar for bar in mine if bar.kind == "regular" and bar.end <= end]
                proof = [bar.end for bar in mine if bar.kind != "pre" and bar.end >= end]
                if not within or not proof or proof[0] > until or end > until:
                    continue
                price = max(bar.h for bar in within) if side > 0 else min(bar.l for bar in within)
                type_ = f"opening_range_{name}"
                grown = [(proof[0], "create", price, days.open(day))]
                cases.append((f"{type_}/{sym}/{date}/{length}", type_, side, grown))
        for id_, type_, side, grown in cases:
            if not grown:
                continue
            what = {"type": type_, "kind": "level", "interval": "1m", "end_at": until}
            found[id_] = [
                (time, action, what | {"price": price, "start_at": start, "state": "active"})
                for time, action, price, start in grown
            ]
            what |= {"price": grown[-1][2], "start_at": grown[-1][3]}
            states = level_events(grown[-1][2], side, grown[-1][0], until, fine, of)
            found[id_] += [(time, "update", what | {"state": state}) for time, state in states]
            if after and "broken" not in [state for _, state in states]:
                found[id_].append((after[0], "update", what | {"state": "expired"}))
    return found


def day_objects(sym: str, quarters: list[B], days: Days) -> Events:
    """Return day_level and day_zone of 15m bars."""
    mine = regular(quarters)
    of = atrs(mine)
    found: Events = {}
    ranges: list[tuple[int, float, float]] = []
    there: list[tuple[int, str, dict[str, Any], float, float, int]] = []
    for day in sorted({bar.day for bar in mine}):
        bars = [bar for bar in mine if bar.day == day]
        proof = [bar.end for bar in quarters if bar.end >= days.close(day) and bar.time >= bars[0].time]
        if not proof:
            continue
        high, low = max(bar.h for bar in bars), min(bar.l for bar in bars)
        ranges.append((proof[0], high, low))
        date = days.date(day)
        for name, price, side in (("resistance", high, 1), ("support", low, -1)):
            at = next(bar.time for bar in bars if (bar.h if side > 0 else bar.l) == price)
            what = {"type": "day_level", "kind": "level", "price": price, "start_at": at, "text": name}
            there.append((proof[0], f"day_level/{sym}/{date}/{name}", what, price, price, side))
        if high == low:
            continue
        tops, bots = [bar.top for bar in bars], [bar.bot for bar in bars]
        for name in ("resistance", "support"):
            up = name == "resistance"
            edges = []
            for i in range(3, len(bars) - 3):
                others = [j for j in range(i - 3, i + 4) if j != i]
                if all(tops[i] > tops[j] if up else bots[i] < bots[j] for j in others):
                    edges.append((tops[i] if up else bots[i], i))
            best = (max(edges, key=lambda e: (e[0], -e[1])) if up else min(edges)) if edges else None
            share = abs((high if up else low) - best[0]) / (high - low) if best else -1.0
            if best is None or not 0.06 <= share <= 0.30:
                value = max(bots) if up else min(tops)
                best = (value, (bots if up else tops).index(value))
            edge, place = best
            extreme = next(i for i, bar in enumerate(bars) if (bar.h == high if up else bar.l == low))
            top, bottom = (high, edge) if up else (edge, low)
            if top > bottom:
                what = {"type": "day_zone", "kind": "zone", "top": top, "bottom": bottom, "text": name}
                what["start_at"] = bars[min(place, extreme)].time
                there.append((proof[0], f"day_zone/{sym}/{date}/{name}", what, top, bottom, 0))
    for decided, id_, what, top, bottom, side in there:
        what |= {"interval": "15m", "end_at": OPEN}
        gone = [time for time, high, low in ranges if time > decided and bottom <= high and top >= low]
        until = gone[0] if gone else 2**62
        states = level_events(top, side, decided, until, mine, of) if side else []
        state = states[-1][1] if states else "active"
        found[id_] = [(decided, "create", what | {"state": "active"})]
        found[id_] += [(time, "update", what | {"state": one}) for time, one in states]
        if gone:
            found[id_].append((gone[0], "delete", what | {"state": state}))
    return found
