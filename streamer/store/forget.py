"""Series of the journal in, the journal without them out."""

from collections.abc import Collection

import numpy as np

from streamer.store import gathered
from streamer.store.damage import whole
from streamer.store.journal import Journal
from streamer.store.names import reserve
from streamer.store.samples import logged


def forget(journal: Journal, idents: Collection[int]) -> None:
    """Delete these series, by id, with all their samples, in one transaction. Raises StateError.

    No id is given a second time, lest a snapshot, which knows series by id, be taken for another one's: the row of the
    highest id stays, of no stream. Rows of the log stay too, perhaps empty: they say what is handed over.
    """
    gone, keys = np.array(sorted(idents), np.int64), [(ident,) for ident in idents]
    with journal.transaction():
        for row, d, packed in journal.database.execute("SELECT id, d, samples FROM sound_log").fetchall():
            samples = whole(packed, logged(d))
            kept = samples[~np.isin(samples["series"], gone)]
            if len(kept) < len(samples):
                journal.database.execute(
                    "UPDATE log SET samples = ?1, checksum = checksum(d, 0, ?1) WHERE id = ?2", (kept.tobytes(), row)
                )
        names = (journal.database.execute("SELECT stream, topic, part FROM series WHERE id = ?", key) for key in keys)
        gathered.forget(journal, [name for found in names for name in found])
        journal.database.executemany("DELETE FROM chunks WHERE series = ?", keys)
        newest = journal.next_series() - 1
        journal.database.executemany("DELETE FROM series WHERE id = ?", keys)
        if newest in idents:
            reserve(journal.database, newest)
        journal.samples.rolled_back()
