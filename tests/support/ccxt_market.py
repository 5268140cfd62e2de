"""A market of an exchange as CCXT has it, so that its list need not be asked for."""

from typing import Any


def market(sym: str) -> dict[str, Any]:
    """Return a market of Binance's spot."""
    base = sym.removesuffix("USDT")
    kind = {
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "contract": False,
    }
    limits = {name: {"min": None, "max": None} for name in ("amount", "price", "cost")}
    named = {"id": sym, "lowercaseId": sym.lower(), "symbol": f"{base}/USDT", "base": base, "quote": "USDT"}
    named |= {"baseId": base, "quoteId": "USDT", "active": True, "precision": {"amount": 1e-5, "price": 0.01}}
    return {**named, **kind, "limits": limits, "info": {}}
