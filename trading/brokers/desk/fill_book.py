"""The executions of one order in the order of their cumulative quantity, each once, whatever order they come in.

A broker tells an execution by its socket and again by REST, under another id perhaps, late, twice, the second before
the first, or after `cancelled`. What cannot differ is where it lies: an execution of 2 lots that makes it 5 is the
lots 4 and 5. So lots are booked from the first on, one execution waits for those before it, and what lies within the
booked lots is known.
"""

from fractions import Fraction

from trading.brokers.broker import Execution


class FillBook:
    """Take executions as they come; `take` returns those that are next, trimmed to lots that are not booked.

    booked   lots that are booked already
    told     the most lots that the broker said are executed; `paid` the lots * ticks of those, None if not told
    """

    def __init__(self, booked: int = 0) -> None:
        self.booked: int = booked
        self.told: int = booked
        self.paid: int | Fraction | None = None
        self._waiting: dict[int, Execution] = {}

    def take(self, execution: Execution) -> list[Execution]:
        """Return the executions that can be booked now, in order. Raises ValueError for a quantity that cannot be.

        >>> from trading.events import Side
        >>> first, second = (Execution(i, "", "7", "A", Side.BUY, q, 9, c, 0) for i, q, c in (("x", 3, 3), ("y", 2, 5)))
        >>> book = FillBook()
        >>> [e.fill_id for e in book.take(second)], [e.fill_id for e in book.take(first)], book.take(second)
        ([], ['x', 'y'], [])
        """
        qty, cumulative = execution.qty, execution.cumulative
        if not isinstance(qty, int) or not isinstance(cumulative, int) or not 0 < qty <= cumulative:
            raise ValueError(
                f"execution {execution.fill_id!r} of {execution.sym}: expected whole lots, more than 0 and at most "
                f"those executed with it, found {qty} of {cumulative}; the lot of the instrument is not the broker's"
            )
        self.hear(cumulative, None)
        if cumulative > self.booked:
            held = self._waiting.get(cumulative)
            # Of two that end at one lot the smaller is the later part; the other covers it, and both are right.
            if held is None or qty > held.qty:
                self._waiting[cumulative] = execution
        return self._next()

    def hear(self, filled: int, paid: int | Fraction | None) -> None:
        """Note that the broker says so many lots are executed."""
        if filled > self.told or (filled == self.told and paid is not None):
            self.told, self.paid = filled, paid

    @property
    def gap(self) -> int:
        """Lots that are executed and not booked."""
        return self.told - self.booked

    def settle(self) -> int | Fraction | None:
        """Book all that was told without its executions; return what was paid in all, None if that is not known.

        Only for executions that the broker does not list: the price of the difference is then made of the average.
        """
        if self.paid is not None:
            self.booked = self.told
            self._waiting.clear()
        return self.paid

    def _next(self) -> list[Execution]:
        ready = []
        while self._waiting:
            end = min(self._waiting)
            execution = self._waiting[end]
            if end - execution.qty > self.booked:
                break
            del self._waiting[end]
            if end > self.booked:
                ready.append(execution._replace(qty=end - self.booked))
                self.booked = end
        return ready
