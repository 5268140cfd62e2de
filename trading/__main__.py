"""The trader's process: `python -m trading`."""

from plant.runtime.lifecycle import run
from trading.live.trader import Trader


def main() -> None:
    """Run the trader."""
    run(Trader, name="trading")


if __name__ == "__main__":
    main()
