"""What the settings of every feed are made of: the class they derive from, and the types of keys that many feeds have.

    class MySettings(FeedSettings):
        \"\"\"What [[feeds]] may say of my feed.\"\"\"

        symbols: Symbols = ("COIN",)
        every_s: float = Field(0.1, gt=0, description="seconds between two trades")

A key without a default must be given. `description` is what `plant feeds` shows.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo


class FeedSettings(BaseModel):
    """The keys of one [[feeds]] but `kind`; frozen. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", description="what the feed is called in the plant; the kind if empty")
    unique_trade_ids: bool = Field(
        False,
        description="a trade_id is one trade's within (source, sym, day): the plant drops trades that the venue sends "
        "again. A kind whose venue promises it has it true",
    )
    spool_mb: int = Field(
        1024,
        ge=0,
        description="kept on disk while the plant is down, MiB; 0: nothing. Not of a feed that can be replayed",
    )
    calendar: str = Field("", description="the exchange whose calendar its symbols have, e.g. XNYS; empty: none")


def _each_once(symbols: tuple[str, ...]) -> tuple[str, ...]:
    if not symbols or not all(symbols):
        raise ValueError("expected a list of non-empty symbols")
    return tuple(dict.fromkeys(symbols))


def _beside_plant_toml(path: str, info: ValidationInfo) -> str:
    folder: Path = (info.context or {}).get("folder", Path())
    return str(folder / path)


Symbols = Annotated[tuple[str, ...], AfterValidator(_each_once)]
"""At least one symbol; one that is named twice counts once."""

PlantPath = Annotated[str, AfterValidator(_beside_plant_toml)]
"""A file or a pattern of files; a relative one is meant from the folder of plant.toml."""
