"""The messages of one stream in, values with their time out; which topics and parts of them the stream asks for."""

import math
from collections.abc import Mapping

from streamer.config import Stream
from streamer.errors import Rejected
from streamer.ingest.covariates import Covariates
from streamer.ingest.decode import Decoded, decoder
from streamer.ingest.gather import Gather
from streamer.ingest.grid import NO_LABELS
from streamer.ingest.measure import measure, unmeasured
from streamer.ingest.multiseries import multiseries
from streamer.ingest.topics import labels, matches
from streamer.records import Message

LATEST = 253402300800.0
"""The year 10000 in seconds since 1970: no time beyond it can be written as RFC 3339."""


class Intake:
    """What the configuration of a stream says of its messages.

    multiseries: reads those that hold several series. gather: what is known of ticks that are open, and of counters;
    None where every reading is a sample. covariates: how messages about them are read; None where there are none.
    """

    def __init__(self, stream: Stream) -> None:
        self.templates, self.filters = stream.topics, stream.filters
        self.labelled = stream.filters != stream.topics
        self.decode, self.multiseries = decoder(stream.payload), multiseries(stream.payload, stream.max_series)
        self.gather = Gather(stream) if stream.aggregation or stream.difference else None
        self.covariates = Covariates(stream) if stream.covariates else None
        self.measure = unmeasured if stream.counted else measure(stream)
        self.max_ahead = math.inf if stream.max_ahead is None else stream.max_ahead
        self.max_behind = math.inf if stream.max_behind is None else stream.max_behind

    def read(self, message: Message) -> Decoded:
        """The values of a message that is one sample, and the time it gives them.

        Raises Rejected.
        """
        values, time = self.decode(message.payload)
        values = self.measure(values)
        self.date(time, message)
        return values, time

    def date(self, time: float | None, message: Message) -> None:
        """Raises Rejected where a sample in this message cannot be of this time."""
        if time is None:
            if message.retain:
                raise Rejected("retained", "a retained message without a time of its own may be of any age")
            return
        if not 0 <= time < LATEST:
            raise Rejected("time", "before 1970 or after 9999")
        if time > message.arrived + self.max_ahead:
            raise Rejected("future", "more than streams[].max_ahead beyond the clock")
        if time < message.arrived - self.max_behind:
            raise Rejected("past", "more than streams[].max_behind before the clock")

    def takes(self, topic: str) -> bool:
        """Whether the filters select a topic that messages come on."""
        return any(matches(topic_filter, topic) for topic_filter in self.filters)

    def asks_for(self, part: str) -> bool:
        """Whether the configuration asks for series of this part."""
        return self.multiseries.selects(part) if self.multiseries else not part

    def address(self, topic: str) -> str:
        """A topic that data of the series with this source come under: what filters and templates apply to."""
        return self.multiseries.address(topic) if self.multiseries else topic

    def labels(self, topic: str) -> Mapping[str, str]:
        """What the first filter that selects it calls the levels of a source."""
        if not self.labelled:
            return NO_LABELS
        address = self.address(topic)
        pairs = zip(self.templates, self.filters, strict=True)
        return next((labels(template, address) for template, plain in pairs if matches(plain, address)), {})
