"""Supply, demand, pivots, zigzag and flags by their definitions, slowly: of a list of bars of one interval."""

from typing import Any

from plain_detectors import NAN, OPEN, B, Event, Events, atrs, stamp


def supply_demand(sym: str, interval: str, bars: list[B], keep: int) -> Events:
    """Return the zones of supply and demand."""
    of = atrs(bars)
    zones: list[dict[str, Any]] = []
    used = -1  # the last bar of a base that was left
    found: Events = {}
    order: list[str] = []
    for k, bar in enumerate(bars):
        for j in (k - 1, k - 2, k - 3):
            base: list[int] = []
            while j >= 0 and len(base) < 6 and j - len(base) > used:
                more = [j - len(base), *base]
                body = all(abs(bars[i].c - bars[i].o) <= 0.5 * (bars[i].h - bars[i].l) for i in more)
                height = max(bars[i].h for i in more) - min(bars[i].l for i in more)
                if not body or not height <= of[j]:
                    break
                base = more
            if not base:
                continue
            high, low = max(bars[i].h for i in base), min(bars[i].l for i in base)
            up, down = bar.c >= high + 1.5 * of[j], bar.c <= low - 1.5 * of[j]
            if not up and not down:
                continue
            used = j
            top = max(bars[i].top for i in base) if up else high
            bottom = low if up else min(bars[i].bot for i in base)
            if top > bottom:
                zones.append({"k": k, "up": up, "top": top, "bottom": bottom, "start_at": bars[base[0]].time})
            break
    alive: list[str] = []
    for k, bar in enumerate(bars):
        for zone in zones:
            type_ = "demand" if zone["up"] else "supply"
            id_ = f"{type_}/{sym}/{interval}/{stamp(zone['start_at'])}"
            if zone["k"] < k and id_ in alive:
                before, here = (b.l <= zone["top"] and b.h >= zone["bottom"] for b in (bars[k - 1], bar))
                last = dict(found[id_][-1][2])
                broken = bar.c < zone["bottom"] if zone["up"] else bar.c > zone["top"]
                if here and not before:
                    last |= {"state": "tested", "strength": last["strength"] + 1}
                if broken:
                    last |= {"state": "broken", "end_at": bar.end}
                    alive.remove(id_)
                if broken or (here and not before):
                    found[id_].append((bar.end, "update", last))
        for zone in zones:
            if zone["k"] == k:
                type_ = "demand" if zone["up"] else "supply"
                id_ = f"{type_}/{sym}/{interval}/{stamp(zone['start_at'])}"
                what = {n: zone[n] for n in ("top", "bottom", "start_at")}
                what |= {"type": type_, "kind": "zone", "interval": interval, "end_at": OPEN}
                found[id_] = [(bar.end, "create", what | {"state": "active", "strength": 0.0})]
                alive.append(id_)
                order.append(id_)
                if len(alive) > keep:
                    oldest = alive.pop(0)
                    over = found[oldest][-1][2] | {"state": "expired", "end_at": bar.end}
                    found[oldest].append((bar.end, "update", over))
    return found


def pivots(sym: str, interval: str, bars: list[B], n: int) -> Events:
    """Return pivot_high and pivot_low."""
    found: Events = {}
    for i in range(n, len(bars) - n):
        before, after = bars[i - n : i], bars[i + 1 : i + n + 1]
        this = bars[i]
        for type_, price, so in (
            ("pivot_high", this.h, this.h > max(b.h for b in before) and this.h >= max(b.h for b in after)),
            ("pivot_low", this.l, this.l < min(b.l for b in before) and this.l <= min(b.l for b in after)),
        ):
            if so:
                what = {"type": type_, "kind": "pivot", "interval": interval, "price": price, "start_at": this.time}
                id_ = f"{type_}/{sym}/{interval}/{stamp(this.time)}"
                found[id_] = [(bars[i + n].end, "create", what | {"state": "confirmed"})]
    return found


def zigzag(sym: str, interval: str, bars: list[B], size: float) -> Events:
    """Return the confirmed pivots and the leg that runs."""
    of = atrs(bars)
    found: Events = {}
    leg: list[Event] = []
    pivot, up = -1, None  # place of the last pivot, and whether the leg from there rises
    shown = (-1, -1)

    def far(high: float, low: float, extreme: float, k: int) -> bool:
        return high - low >= (size * extreme if size < 1 else size * of[k])

    for k in range(1, len(bars)):
        since = range(pivot + 1, k + 1)
        top = next(i for i in since if bars[i].h == max(bars[j].h for j in since))
        low = next(i for i in since if bars[i].l == min(bars[j].l for j in since))
        turned = -1
        if up is not False and top < k and far(bars[top].h, bars[k].l, bars[top].h, k):
            turned, up = top, False
        elif up is not True and low < k and far(bars[k].h, bars[low].l, bars[low].l, k):
            turned, up = low, True
        if turned >= 0:
            pivot = turned
            text, price = ("low", bars[pivot].l) if up else ("high", bars[pivot].h)
            what = {"type": "zigzag", "kind": "pivot", "interval": interval, "price": price, "text": text}
            what |= {"start_at": bars[pivot].time, "state": "confirmed"}
            found[f"zigzag/{sym}/{interval}/{stamp(bars[pivot].time)}"] = [(bars[k].end, "create", what)]
        if up is None:
            continue
        rest = range(pivot + 1, k + 1)
        best = max(bars[j].h for j in rest) if up else min(bars[j].l for j in rest)
        at = next(i for i in rest if (bars[i].h if up else bars[i].l) == best)
        if (pivot, at) != shown:
            shown = (pivot, at)
            what = {"type": "zigzag", "kind": "line", "interval": interval, "state": "forming"}
            what |= {"price": bars[pivot].l if up else bars[pivot].h, "price_end": best}
            what |= {"start_at": bars[pivot].time, "end_at": bars[at].time}
            leg.append((bars[k].end, "update" if leg else "create", what))
    if leg:
        found[f"zigzag/{sym}/{interval}/leg"] = leg
    return found


def flags(sym: str, interval: str, bars: list[B], sign: int, pole_atr: float) -> Events:
    """Return bull flags, or bear flags (sign -1), of tips one after another: each over all bars behind it."""
    of = atrs(bars)
    name = "bull_flag" if sign > 0 else "bear_flag"
    tops = [bar.top if sign > 0 else -bar.bot for bar in bars]
    bots = [bar.bot if sign > 0 else -bar.top for bar in bars]
    found: Events = {}
    tip = 0
    while tip < len(bars):
        pole = 0.0
        if pole_atr:
            heights = [tops[tip] - bots[b] for b in range(max(tip - 29, 0), tip - 1)]
            pole = max(heights) if heights and max(heights) >= pole_atr * of[tip] else NAN
        id_ = f"{name}/{sym}/{interval}/{stamp(bars[tip].time)}"
        events: list[Event] = []
        after = len(bars)  # the next tip
        line: tuple[float, int] | None = None  # slope and the bar it goes to
        for k in range(tip + 1, len(bars)):
            bar = bars[k]

            def told(state: str, at: int, price: float, tip: int = tip) -> dict[str, Any]:
                what: dict[str, Any] = {"type": name, "kind": "flag", "interval": interval, "state": state}
                what |= {"price": tops[tip] * sign, "price_end": price * sign}
                return what | {"start_at": bars[tip].time, "end_at": bars[at].time}

            if events and line:
                there = tops[tip] + line[0] * (k - tip)
                if bar.c * sign > there and (bar.c - bar.o) * sign >= 0:
                    events.append((bar.end, "update", told("confirmed", k, there)))
                    after = k
                    break
            if tops[k] > tops[tip]:
                if events and line:
                    events.append((bar.end, "delete", told("forming", line[1], tops[tip] + line[0] * (line[1] - tip))))
                after = k
                break
            slopes = [(tops[j] - tops[tip]) / (j - tip) for j in range(tip + 1, k + 1)]
            best = tip + 1 + slopes.index(max(slopes))
            moved = line is None or best != line[1]
            line = (max(slopes), best)
            price = tops[tip] + line[0] * (best - tip)
            back = tops[tip] - min(bots[tip + 1 : k + 1]) > 0.5 * pole if pole > 0 else False
            if back or k - tip > 20:
                if events:
                    events.append((bar.end, "update", told("failed" if back else "expired", best, price)))
                after = k
                break
            if pole == pole and k - tip >= 3 and (not events or moved):
                events.append((bar.end, "update" if events else "create", told("forming", best, price)))
        if events:
            found[id_] = events
        tip = after
    return found
