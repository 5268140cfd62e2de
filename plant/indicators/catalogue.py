"""The catalogue: every kind of indicator there is, by its name. Ours are in small letters, TA-Lib's in capitals."""

from collections.abc import Mapping
from types import MappingProxyType

from plant.indicators.kinds import Kind
from plant.indicators.ours import OURS
from plant.indicators.talib_kinds import talib_kinds

CATALOGUE: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (*OURS, *talib_kinds())})
"""Ours first, then TA-Lib's in alphabetical order."""
