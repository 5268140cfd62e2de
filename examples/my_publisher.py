"""A program of one's own that publishes: made-up coin prices, a trade every tenth of a second."""

import random
import time

import plant


def main(rows: int | None = None) -> None:
    """Publish trades until stopped, or `rows` of them."""
    price, sent = 100.0, 0
    with plant.publisher("my-publisher") as feed:
        while rows is None or sent < rows:
            price = round(max(price + random.gauss(0, 0.1), 1.0), 2)
            feed.publish(
                "trades", {"time": time.time_ns(), "sym": "COIN", "price": price, "size": 1.0, "source": "simulated"}
            )
            sent += 1
            time.sleep(0.1)
        print("in the journal up to", feed.flush())


if __name__ == "__main__":
    main()
