"""Where the plants of [[standby]] are, that follow this one and go on in its place."""

from plant.runtime.settings import Settings


def ingest_addresses(settings: Settings) -> tuple[str, ...]:
    """Return where feeds and publishers of one's own go: this plant's tickerplant, then those of [[standby]]."""
    own = settings.tickerplant.ingest_port
    others = [settings.address(each.ingest_port or own, each.host) for each in settings.standby]
    return settings.address(own), *others


def followed_addresses(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Return where the plants of [[standby]] publish, and where they answer about their journals."""
    own = settings.tickerplant
    return tuple(
        (
            settings.address(each.publish_port or own.publish_port, each.host),
            settings.address(each.journal_port or own.journal_port, each.host),
        )
        for each in settings.standby
    )


def answering_addresses(settings: Settings, who: str) -> tuple[str, ...]:
    """Return where a process answers, first of this plant; of [[standby]] only "rdb" and "hdb" are asked."""
    own = getattr(settings, who).port
    others = [(getattr(each, f"{who}_port") or own, each.host) for each in settings.standby if who in ("rdb", "hdb")]
    return settings.address(own), *(settings.address(*each) for each in others)
