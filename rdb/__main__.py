"""The rdb's process: follow every table of the plant since the last end of day, keep it in memory, answer questions."""

from plant.follower import Follower
from plant.lifecycle import run
from plant.settings import Settings


class Rdb(Follower):
    """Today's tables in memory."""

    name = "rdb"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, settings.rdb.port)


def main() -> None:
    """Run an rdb."""
    run(Rdb, name="rdb")


if __name__ == "__main__":
    main()
