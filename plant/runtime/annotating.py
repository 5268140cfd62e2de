"""What plant.toml says of annotations that are found by themselves: [annotations]."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from plant.detectors.definitions import types_of
from plant.detectors.machine import DetectorTerms
from plant.errors import SettingsError
from plant.rows.intervals import interval_name
from plant.runtime.sections import stored_intervals

Name = Annotated[str, Field(min_length=1)]


class AnnotationsSettings(BaseModel):
    """[annotations]"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: tuple[Name, ...] = Field(
        (), description="types that are found; empty: all but pivots, zigzag, flags, supply, demand"
    )
    intervals: tuple[Name, ...] = Field(
        ("5m", "15m"), description="of pivots, zigzag, flags, supply and demand: the bars they are found on"
    )
    symbols: tuple[Name, ...] = Field((), description="patterns of symbols; empty: all")
    opening_range: tuple[Annotated[int, Field(ge=1, le=1440)], ...] = Field(
        (5, 15, 30), description="lengths of opening ranges, minutes"
    )
    pivot_bars: int = Field(5, ge=1, le=500, description="bars on either side of a pivot")
    zigzag: float = Field(0.03, gt=0, description="least move: below 1 a share of the price, else so many ATR")
    flag_pole_atr: float = Field(2.0, ge=0, description="least height of a flag's pole, in ATR; 0: none is needed")
    keep: int = Field(20, ge=1, description="zones of supply and demand that are kept of a symbol and interval")

    @field_validator("on")
    @classmethod
    def _known_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            types_of(value)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("intervals")
    @classmethod
    def _stored(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        stored_intervals(value)
        return tuple(dict.fromkeys(map(interval_name, value)))

    def terms(self, intervals: tuple[str, ...]) -> DetectorTerms:
        """Return what detectors are made with; `intervals` of bars that are built."""
        return DetectorTerms(
            types_of(self.on),
            self.intervals,
            self.opening_range,
            self.pivot_bars,
            self.zigzag,
            self.flag_pole_atr,
            self.keep,
            "1d" in intervals,
        )
