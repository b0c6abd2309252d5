"""The name of a source of history in, the messages of a stream's past out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.config import Config
from streamer.errors import SourceError
from streamer.records import Message
from streamer.tools.history import influx, labelled, prometheus, table
from streamer.tools.progress import Told
from streamer.tools.replay.lines import count
from streamer.tools.replay.sources import SourceOptions, open_source

LINES = (".lp", ".lp.gz", ".line", ".line.gz")
ANSWER = (".json", ".json.gz")
CSV = (".csv", ".csv.gz")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says of a source: topics, and columns of a CSV file."""

    topics: Sequence[str] = ()
    columns: Sequence[str] = ()
    time_column: str | None = None

    def template(self, source: str) -> str:
        """The one topic. Raises SourceError."""
        if len(self.topics) != 1 or self.columns or self.time_column:
            text = "give one --topic, with labels in braces, such as home/{room}/{field}, and no columns"
            raise SourceError(f"{source}: {text}")
        return self.topics[0]


def history(source: str, asked: Asked, config: Config, told: Told) -> tuple[Iterator[Message], int | None]:
    """The messages, and how many there are where that is known; `told` hears of what has to be read before the first.

    Raises SourceError, here or during iteration.
    """
    name, path = source.lower(), Path(source)
    if name.startswith(prometheus.SCHEMES):
        return labelled.messages(prometheus.from_server(source, told), asked.template(source), config)
    if name.endswith(ANSWER):
        return labelled.messages(prometheus.from_file(path), asked.template(source), config)
    if name.endswith(LINES):
        return influx.of_lines(path, asked.template(source), config, told)
    if name.endswith(CSV) and influx.is_annotated(path):
        return labelled.messages(influx.of_tables(path, told), asked.template(source), config)
    if name.endswith(CSV) and asked.time_column is None:
        raise SourceError(f"{source}: name the column of the time: --time-column")
    samples = open_source(source, SourceOptions(tuple(asked.columns), asked.time_column, gaps=True))
    rows = count(path)
    return table.messages(samples, asked.topics, config), rows and rows * max(len(asked.topics), 1)
