"""The commands `plant mirror verify`, stream and journal compared, and `plant promote`, a standby takes over."""

from typing import Annotated

import typer

from mirror.promoting import promote as take_over
from mirror.verifying import compare
from plant.command.terminal import Config, out, plant_of, steps
from plant.errors import SettingsError
from plant.runtime.supervision import running_supervision

app = typer.Typer(add_completion=False)
mirror = typer.Typer(add_completion=False, no_args_is_help=True, help="The journal's copy in JetStream.")
app.add_typer(mirror, name="mirror")

EXIT_DIFFERENT = 1


@mirror.callback()
def of_mirror() -> None:
    """The journal's copy in JetStream."""


@mirror.command()
def verify(config: Config = None) -> None:
    """Compare the stream with the journal, record by record. Exit code 1: they differ."""
    settings, _ = plant_of(config)
    if not settings.mirror.servers:
        raise SettingsError(f"{settings.file}: no [mirror] servers, so there is no stream to compare with")
    with steps("mirror verify") as step:
        found = compare(settings, step("messages"))
    _tell(
        f"{found.messages:,} messages, {found.records:,} records are the same, seq {found.first:,} to {found.last:,}; "
        f"{found.behind:,} more in the journal"
    )
    for difference in found.differences:
        _tell(f"different: {difference}")
    if found.more:
        _tell(f"and {found.more:,} more differences")
    _tell("the stream is the journal" if found.same else "the stream is NOT the journal; docs/scale.md says what to do")
    if not found.same:
        raise typer.Exit(EXIT_DIFFERENT)


@app.command()
def promote(
    old: Annotated[
        str, typer.Option(help="The old plant's journal socket, tcp://host:5002, to tell it and to count what is lost.")
    ] = "",
    still: Annotated[float, typer.Option(help="Seconds in which the stream must not have grown.", min=0.0)] = 5.0,
    config: Config = None,
) -> None:
    """Have this plant, which follows a stream, take the place of the one that wrote it."""
    settings, _ = plant_of(config)
    place = running_supervision(config)
    done = take_over(settings, still, old)
    _tell(f"promoted behind seq {done.seq:,}: [upstream] counts no longer, this plant takes rows and mirrors them")
    if done.old_seq is not None:
        lost = max(done.old_seq - done.seq, 0)
        _tell(f"the old plant's journal ends at {done.old_seq:,}: {lost:,} batches are not here, heartbeats counted")
    elif done.unmirrored:
        _tell(f"lost with the old plant: {done.unmirrored:,} batches it had when it wrote its last message, or more")
    else:
        _tell(
            'lost with the old plant: what it took behind its last message; nothing, if ack = "mirrored" was set there'
        )
    if place is None:
        _tell("start it: plant up")
        return
    _tell("starting its processes anew")
    place.call("supervisor.stopAllProcesses", True)
    place.call("supervisor.startAllProcesses", False)


def _tell(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
