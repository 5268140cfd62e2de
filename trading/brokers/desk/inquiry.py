"""When to ask for an order of which nothing certain is known, and when its absence is an answer."""

ASK_AT_S = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds after the order became uncertain; from the last on, again and again."""

ABSENT_AFTER_S = ASK_AT_S[-1]
"""An order that is not there when asked so late will not come: Binance drops a request after recvWindow, 5 s."""


class Inquiry:
    """Questions for one order, the time given by hand; one question at a time.

    since   seconds, when it became uncertain
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._asked = 0
        self._under_way: float | None = None

    @property
    def due_at(self) -> float | None:
        """When the next question is due; None while one is under way."""
        if self._under_way is not None:
            return None
        later = max(self._asked - len(ASK_AT_S) + 1, 0) * ABSENT_AFTER_S
        return self._since + ASK_AT_S[min(self._asked, len(ASK_AT_S) - 1)] + later

    def due(self, now: float) -> bool:
        """Return whether to ask now."""
        return self.due_at is not None and now >= self.due_at

    def ask(self, now: float) -> None:
        """Note that the question goes out; what is overdue besides it is left out."""
        self._under_way = now
        self._asked += 1
        while self._asked < len(ASK_AT_S) and now >= self._since + ASK_AT_S[self._asked]:
            self._asked += 1

    def answered(self) -> None:
        """Note that the question was answered, or failed."""
        self._under_way = None

    def absent(self) -> bool:
        """Take the answer that there is no such order; return whether that is final.

        It is if the question was asked late enough: the answer to an early one may have crossed with the order.
        """
        final = self.decides
        self._under_way = None
        return final

    @property
    def decides(self) -> bool:
        """Whether the question that is under way was asked so late that an absence is final."""
        return self._under_way is not None and self._under_way - self._since >= ABSENT_AFTER_S
