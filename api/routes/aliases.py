"""Routes of other systems' front ends, as thin aliases: what they ask for, answered in their words.

POST /trigger-chart-update and /refresh-chart (Merced3/Flag-Zone-Bot), GET market-data/history/{symbol}
(Chandrapalsingh12/Chandra-Shekhar-Trade-Platform-Fro), GET dependencies/status (xylinanonunionised899/pine-vs-python).
Those of 001 are streams.
"""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access.gate import GateRoute, need
from api.answers.declared import declared
from api.answers.problems import Problem, invalid
from api.answers.rows import json_answer
from api.answers.terms import interval_in
from api.desk.desk import desk_of
from api.services import Services, change_of, services_of
from plant.control.writing import told_nearest
from plant.errors import QueryError
from plant.rows.intervals import interval_name

router = APIRouter(route_class=GateRoute, tags=["aliases"])

ZONES = "zones"
HISTORY = 1_000

_MINUTES = re.compile(r"(\d{1,4})m", re.IGNORECASE)
_SIMULATION = "SIMULATION"


class CueBody(BaseModel):
    """Which charts are cued: `timeframe`, or `timeframes`; "2M" and "2m" are two minutes, "zones" the zones."""

    model_config = ConfigDict(extra="forbid")

    timeframe: str | None = None
    timeframes: list[str] | None = Field(None, max_length=100)

    def charts(self) -> list[str]:
        """Return the charts by their names here, e.g. "2m". Raises Problem invalid."""
        told = list(self.timeframes or ()) + ([self.timeframe] if self.timeframe is not None else [])
        if not told:
            raise invalid("$.timeframe", "is missing, and so is timeframes")
        return list(dict.fromkeys(chart_called(text, "$.timeframes") for text in told))


class RefreshBody(BaseModel):
    """A chart that was drawn anew: `chart_type` "zones" is the chart of zones, whatever the timeframe."""

    model_config = ConfigDict(extra="forbid")

    timeframe: str | None = None
    timeframes: list[str] | None = Field(None, max_length=100)
    chart_type: str = Field("live", pattern="^(live|zones)$")

    def charts(self) -> list[str]:
        """Return the charts by their names here. Raises Problem invalid."""
        if self.chart_type == ZONES:
            return [ZONES]
        return CueBody(timeframe=self.timeframe, timeframes=self.timeframes).charts()


def chart_called(text: str, place: str) -> str:
    """Return the name here of a chart of Flag-Zone-Bot, whose M is a minute. Raises Problem invalid.

    >>> chart_called("2M", "$"), chart_called("15m", "$"), chart_called("ZONES", "$"), chart_called("1h", "$")
    ('2m', '15m', 'zones', '1h')
    """
    if text.strip().lower() == ZONES:
        return ZONES
    minutes = _MINUTES.fullmatch(text.strip())
    try:
        return interval_name(f"{minutes[1]}m" if minutes else text)
    except QueryError as error:
        raise invalid(place, str(error), found=text) from None


@router.post("/trigger-chart-update", **declared(body=True))
@need("trade")
async def trigger(request: Request, body: CueBody) -> Response:
    """Cue charts to all that listen."""
    return _cued(request, body.charts(), "broadcasted")


@router.post("/refresh-chart", **declared(body=True))
@need("trade")
async def refresh(request: Request, body: RefreshBody) -> Response:
    """Cue charts that were drawn anew; pictures here are drawn when they are asked for."""
    return _cued(request, body.charts(), "saved-and-broadcast")


@router.get("/api/v1/market-data/history/{symbol:path}", **declared(schema={"type": "array"}))
@need("read")
async def history(
    request: Request,
    symbol: str,
    interval: Annotated[str, Query(description="length of the bars")] = "1m",
    last: Annotated[int, Query(ge=1, le=50_000)] = HISTORY,
) -> Response:
    """Return bars as a plain list, oldest first: symbol, dataset, timestamp (s since 1970), prices, volume."""
    desk = desk_of(services_of(request))
    name = interval_in(interval)
    rows = await desk.rows("bars", [symbol], where={"interval": name}, last=last)
    if not rows and not await desk.rows("bars", [symbol], last=1):
        known = [each["sym"] for each in await desk.rows("bars", None, last=1000)]
        raise Problem("unknown_symbol", f"bars has no symbol {symbol!r}{told_nearest(symbol, set(known))}")
    return json_answer([_history_row(row) for row in sorted(rows, key=lambda row: row["time"])])


@router.get("/api/v1/dependencies/status", **declared())
@need("read")
async def dependencies(request: Request) -> Response:
    """Return whether each of what the service depends on is there: {name, available, detail} each."""
    pulse = services_of(request).pulse
    told = {
        "backend": (pulse.health == "ok", f"the plant is {pulse.health}"),
        "ollama": (False, "the chat comes later: nothing asks it"),
        "tradingview_bridge": (False, "artifacts come later"),
        "market_provider": _provider(services_of(request)),
    }
    return json_answer({name: {"name": name, "available": it, "detail": why} for name, (it, why) in told.items()})


def _cued(request: Request, charts: list[str], status: str) -> Response:
    services = services_of(request)
    counts = [services.cues(chart, None) if services.cues is not None else 0 for chart in charts]
    change_of(request).subject = ",".join(charts)
    return json_answer({"status": status, "timeframes": charts, "clients": max(counts, default=0)})


def _history_row(row: dict[str, Any]) -> dict[str, Any]:
    made_up = row["source"].removeprefix("built:") == "simulated"
    told = {"symbol": row["sym"], "dataset": _SIMULATION if made_up else row["source"]}
    return told | {"timestamp": row["time"] // 10**9} | {n: row[n] for n in ("open", "high", "low", "close", "volume")}


def _provider(services: Services) -> tuple[bool, str]:
    feeds = [feed.label for feed in services.settings.feeds]
    if not feeds:
        return False, "plant.toml has no [[feeds]]"
    return services.pulse.up("tickerplant"), f"feeds of plant.toml: {', '.join(feeds)}"
