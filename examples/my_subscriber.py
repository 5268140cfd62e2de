"""A subscriber of one's own: the size-weighted mean price of each symbol, from the first trade of the journal on."""

from collections import defaultdict

import plant


def main(trades: int | None = None) -> None:
    """Print each symbol's mean price after every batch, until stopped, or until so many trades have come."""
    money: dict[str, float] = defaultdict(float)
    size: dict[str, float] = defaultdict(float)
    seen = 0
    for batch in plant.subscribe("trades", since="start"):
        for trade in batch.rows():
            money[trade["sym"]] += trade["price"] * trade["size"]
            size[trade["sym"]] += trade["size"]
        seen += len(batch)
        print(batch.seq, {sym: round(money[sym] / size[sym], 4) for sym in size})
        if trades is not None and seen >= trades:
            return


if __name__ == "__main__":
    main()
