"""How far the forecasts of committed batches are handed over to the broker, in order; no I/O."""

from collections import deque


class Handover:
    """Batches are rows of the journal's log, messages are counted in the order in which they are published.

    mark: the newest batch such that its messages, and those of all batches before it, are handed over: the broker has
    acknowledged or refused them, or newer ones of their topics have taken their place. None until `begin`: then
    nobody publishes. It is written down with the next batch, so the journal may fall a little short of it.
    """

    def __init__(self) -> None:
        self.mark: int | None = None
        self._put = 0
        self._open: deque[tuple[int, int]] = deque()

    def begin(self, mark: int) -> None:
        """Everything up to this batch is handed over."""
        self.mark = mark

    def reaches(self, batch: int) -> bool:
        """Whether everything up to this batch is handed over."""
        return self.mark is None or self.mark >= batch

    def put(self, batch: int, messages: int) -> None:
        """So many more messages wait for the broker, of a batch or of those up to it."""
        self._put += messages
        if self._open and self._open[-1][0] == self._put:
            self._open.pop()
        self._open.append((self._put, batch))

    def done(self, messages: int) -> None:
        """So many of all messages are handed over."""
        while self._open and self._open[0][0] <= messages:
            self.mark = self._open.popleft()[1]
