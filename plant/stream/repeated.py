"""What a publisher that promises unique trade ids hears of trades sent again: counted, logged once, in words."""

import logging

from plant.wire.messages import Repeats

_log = logging.getLogger(__name__)

_MEANING = {
    "dropped": "the plant has them already: a venue sends them again after a reconnect, say",
    "conflicts": "they are in `rejects`; if the venue gives an id to several trades, leave out unique_trade_ids",
    "unchecked": "they are of a day behind the newest two, or more than a day ahead of the clock",
    "forgotten": "repeats of those would not be noticed; [tickerplant] trade_ids is how many are remembered of a day",
}


def told(repeats: Repeats) -> str:
    """Return what became of repeated trades in words, for a line of `plant status`; "" if there were none.

    >>> told(Repeats(dropped=2, conflicts=1))
    'dropped 2 repeated trades; refused 1 trade whose id came before with another price or size'
    """
    return "; ".join(_words(repeats).values())


def noted(before: Repeats, more: Repeats, source: str) -> Repeats:
    """Return both counts together; what is more than 0 for the first time is logged."""
    now = Repeats(*map(sum, zip(before, more, strict=True)))
    for name, words in _words(now).items():
        if not getattr(before, name):
            _log.warning("%s: %s; further ones are only counted: %s", source, words, _MEANING[name])
    return now


def _words(repeats: Repeats) -> dict[str, str]:
    dropped, conflicts, unchecked, forgotten = repeats
    words = {
        "dropped": f"dropped {_trades(dropped, 'repeated trade')}",
        "conflicts": f"refused {_trades(conflicts, 'trade')} whose id came before with another price or size",
        "unchecked": f"{_trades(unchecked, 'trade')} of other days not compared with earlier ones",
        "forgotten": f"{_trades(forgotten, 'older trade id')} no longer remembered",
    }
    return {name: text for name, text in words.items() if getattr(repeats, name)}


def _trades(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
