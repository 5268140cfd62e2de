"""How far a venue's clock is ahead of ours: a signed request is refused if its time is more than recvWindow off."""

REMEASURE_S = 600.0
"""Seconds after which the offset is measured again: clocks drift, and are set."""


class ClockOffset:
    """Measure by one request that the venue answers with its time; the error is half of its round trip at most."""

    def __init__(self) -> None:
        self.offset_ms = 0
        self._measured_at: float | None = None

    def measured(self, sent_ms: int, venue_ms: int, received_ms: int, now: float) -> None:
        """Take a measurement: our times of sending and receiving and the venue's between, Unix ms; `now` in seconds.

        >>> clock = ClockOffset()
        >>> clock.measured(1_000, 4_050, 1_100, 0.0)
        >>> clock.offset_ms, clock.due(599.0), clock.due(600.0)
        (3000, False, True)
        """
        self.offset_ms = venue_ms - (sent_ms + received_ms) // 2
        self._measured_at = now

    def due(self, now: float) -> bool:
        """Return whether to measure: never done, long ago, or `doubt`ed."""
        return self._measured_at is None or now - self._measured_at >= REMEASURE_S

    def doubt(self) -> None:
        """Measure again before the next request: the venue refused our time."""
        self._measured_at = None
