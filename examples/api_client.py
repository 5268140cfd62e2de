"""Read bars over HTTP, page by page: python examples/api_client.py AAPL [http://127.0.0.1:8000] [key]"""

import sys
from collections.abc import Iterator
from typing import Any

import httpx


def bars(url: str, sym: str, interval: str = "1m", key: str = "") -> Iterator[dict[str, Any]]:
    """Yield the bars of a symbol, oldest first, all of them as of one moment."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    terms: dict[str, Any] = {"sym": sym, "interval": interval, "start": "2000-01-01", "limit": 1000}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        while True:
            answer = client.get("/api/v1/bars", params=terms).raise_for_status().json()
            yield from answer["rows"]
            if answer["next"] is None:
                return
            terms["cursor"] = answer["next"]


if __name__ == "__main__":
    sym, url, key = (*sys.argv[1:], "http://127.0.0.1:8000", "")[:3] if len(sys.argv) < 4 else sys.argv[1:4]
    for bar in bars(url, sym, key=key):
        print(bar["time"], bar["close"], bar["volume"])
