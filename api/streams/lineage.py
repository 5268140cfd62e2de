"""Whether a client's place in the journal is one in ours: a state machine without sockets and clocks.

An epoch is the life of one tickerplant: within it the journal only grows. A new one goes on with the journal of the one
before, unless that lost its end (a power cut): the stream that is followed compares, and only once it is live again is
`follow` told of the new one. So what was handed on in the epochs before is known to be in this journal, too.
"""


class Lineage:
    """The epochs whose journal is known to be ours, and how far each is known.

    epoch   of the tickerplant whose journal is followed; 0: none yet
    cursor  everything up to it was handed on
    """

    def __init__(self) -> None:
        self.epoch = self.cursor = self._told = self._begun = 0
        self._earlier: dict[str, int] = {}

    def follow(self, epoch: int, cursor: int) -> bool:
        """Note whose journal is followed, and how far; both are proved.

        Return whether clients know rows that are not proved to be in it: what was told ahead of the stream.
        """
        ahead = False
        if epoch and epoch != self.epoch:
            if self.epoch:
                self._earlier[str(self.epoch)], ahead = self.cursor, self._told > self.cursor
            else:
                self._begun = cursor
            self.epoch, self._told = epoch, 0
        self.cursor = max(cursor, self.cursor)
        return ahead

    def tell(self, seq: int) -> None:
        """Note that a client is told of rows up to `seq`, which an answer had ahead of the stream."""
        self._told = max(seq, self._told)

    def proves(self, after: int, epoch: str | None) -> bool:
        """Return whether rows up to `after`, as a client has them, are those of our journal.

        Without an epoch (a stream that is resumed by its last event alone) it is taken at its word, if it can be from
        this service: then `after` is not before what this handed on first.
        """
        if not self.epoch or not 0 <= after <= max(self.cursor, self._told):
            return False
        if epoch is None:
            return after >= self._begun
        if epoch == str(self.epoch):
            return True
        return after <= self._earlier.get(epoch, -1)
