"""The command `plant chart`: a symbol's bars with all that is known of them, as a PNG."""

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from plant.client.connect import connect
from plant.client.connection import Connection
from plant.command.terminal import Config, out, plant_of
from plant.data_folder import replace_file
from plant.errors import UnknownSymbol

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

ASK_S = 30.0


@app.command()
def chart(
    sym: Annotated[str, typer.Argument(help="The symbol, e.g. AAPL.")],
    interval: Annotated[str, typer.Argument(help="Length of the bars, e.g. 5m.")],
    to: Annotated[Path, typer.Option("--to", help="File to write, a PNG; one that is there is replaced.")],
    bars: Annotated[int, typer.Option("--bars", help="How many of the newest bars.")] = 180,
    overlay: Annotated[
        list[str] | None, typer.Option("--overlay", help="A column of indicators, e.g. ema_20; several times.")
    ] = None,
    annotations: Annotated[bool, typer.Option(help="Draw zones, levels and marks.")] = True,
    width: Annotated[int, typer.Option("--width", help="Pixels.")] = 1400,
    height: Annotated[int, typer.Option("--height", help="Pixels.")] = 700,
    theme: Annotated[str, typer.Option("--theme", help="dark or light.")] = "dark",
    config: Config = None,
) -> None:
    """Draw a chart of bars, signals, fills and annotations into a PNG."""
    from api.pictures.picture import Look, png_of  # matplotlib is imported when it is needed
    from api.pictures.reading import Shown, read_viewport

    look, shown = Look(width, height, theme), Shown(sym, interval, bars, None, tuple(overlay or ()), annotations)
    settings, _ = plant_of(config)
    options: dict[str, Any] = {"frames": "arrow", "timeout_s": ASK_S, "warn_unknown": False}
    processor = Connection("processor", settings.address(settings.processor.port), **options)
    with connect(config=config, **options) as db, closing(processor):
        viewport = read_viewport(db, settings, shown, time.time_ns(), processor)
        if not len(viewport.bars):
            known = db.sql(f"select distinct sym from bars where interval = '{viewport.interval}' order by 1")
            raise UnknownSymbol.named(sym, f"bars of {viewport.interval}", known.column("sym").to_pylist())
    replace_file(to, png_of(viewport, look))
    told = f"{len(viewport.bars):,} bars, seq {viewport.seq:,}"
    out.print(f"wrote {to}: {told}" + "".join(f"; {note}" for note in viewport.notes), markup=False, highlight=False)
