"""The tables of the journal, as migrations from an empty file to the newest version."""

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing

MIGRATIONS = (
    """
CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  topic TEXT NOT NULL,
  field TEXT NOT NULL, -- what of a payload is the value
  d INTEGER NOT NULL,
  interval REAL NOT NULL, -- 0: every message is a tick; another field, d or grid makes another series
  anchor REAL, -- time of tick 0 on the grid
  UNIQUE (stream, topic, field, d, interval)
) STRICT;
CREATE TABLE samples (
  series INTEGER NOT NULL REFERENCES series (id),
  tick INTEGER NOT NULL,
  time REAL NOT NULL,
  x BLOB NOT NULL, -- d float64, little-endian
  PRIMARY KEY (series, tick)
) STRICT, WITHOUT ROWID;
CREATE TABLE models (
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  sizes TEXT NOT NULL, -- JSON of the letters and the cell: weights fit no other sizes
  created REAL NOT NULL,
  swap TEXT NOT NULL, -- JSON: series id -> [first tick the states were warmed on, last tick before the swap]
  errors TEXT NOT NULL, -- JSON of E_p by model
  scales TEXT NOT NULL, -- JSON: series id -> [mean, standard deviation]
  weights BLOB NOT NULL, -- safetensors
  PRIMARY KEY (stream, kind, version)
) STRICT;
CREATE TABLE filters ( -- what the broker may still be subscribed to for this client
  client_id TEXT NOT NULL,
  filter TEXT NOT NULL,
  PRIMARY KEY (client_id, filter)
) STRICT, WITHOUT ROWID;
CREATE TABLE snapshots (
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  state BLOB NOT NULL, -- safetensors: ids, ticks, s, count, mean, m2
  PRIMARY KEY (stream, kind)
) STRICT;
""",
    """
CREATE TABLE gates ( -- what came of a training: the order of events that a replay of the samples needs
  stream TEXT NOT NULL,
  version INTEGER NOT NULL,
  created REAL NOT NULL,
  preferred TEXT, -- the kind that won, NULL where no network beat persistence
  spans TEXT NOT NULL, -- JSON: series id -> [first tick warmed on, last tick before the swap, ticks trained on]
  PRIMARY KEY (stream, version)
) STRICT;
INSERT INTO gates SELECT stream, version, created,
  iif(min(json_extract(errors, '$.' || kind)) < json_extract(errors, '$.persistence'), kind, NULL),
  (SELECT json_group_object(key, json_array(json_extract(value, '$[0]'), json_extract(value, '$[1]'), 0))
    FROM json_each(swap))
FROM models GROUP BY stream, version;
CREATE TABLE networks (
  stream TEXT NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  sizes TEXT NOT NULL, -- JSON of the letters and the cell: weights fit no other sizes
  errors TEXT NOT NULL, -- JSON of E_p by model
  scales TEXT NOT NULL, -- JSON: series id -> [mean, standard deviation]
  weights BLOB NOT NULL, -- safetensors
  PRIMARY KEY (stream, kind, version),
  FOREIGN KEY (stream, version) REFERENCES gates (stream, version)
) STRICT;
INSERT INTO networks SELECT stream, kind, version, sizes, errors, scales, weights FROM models;
DROP TABLE models;
ALTER TABLE networks RENAME TO models;
DROP TABLE snapshots; -- files now, with all that a series has and not its states alone
CREATE TABLE deliveries ( -- samples without a time of their own, by the packet identifier they came under, modulo
  slot INTEGER PRIMARY KEY,
  digest BLOB NOT NULL
) STRICT;
""",
    """
CREATE TABLE series_ (
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  topic TEXT NOT NULL,
  part TEXT NOT NULL, -- which of the series of a message with several, else empty
  field TEXT NOT NULL, -- what of a payload is the value
  d INTEGER NOT NULL,
  interval REAL NOT NULL, -- 0: every message is a tick; another part, field, d or grid makes another series
  anchor REAL, -- time of tick 0 on the grid
  UNIQUE (stream, topic, part, field, d, interval)
) STRICT;
INSERT INTO series_ SELECT id, stream, topic, '', field, d, interval, anchor FROM series;
CREATE TABLE log ( -- samples as they came, batch by batch, on their way to the chunks
  id INTEGER PRIMARY KEY,
  d INTEGER NOT NULL,
  samples BLOB NOT NULL -- of each: series, tick (int64), time, x (1 + d float64), little-endian
) STRICT;
CREATE TABLE chunks ( -- samples in the order of their series
  series INTEGER NOT NULL REFERENCES series (id),
  tick INTEGER NOT NULL, -- of the newest sample in it
  samples BLOB NOT NULL, -- of each: tick (int64), time, x (1 + d float64), little-endian
  PRIMARY KEY (series, tick)
) STRICT, WITHOUT ROWID;
INSERT INTO chunks SELECT series, max(tick), in_order(tick, sample_record(tick, time, x)) FROM (
  SELECT *, (row_number() OVER (PARTITION BY series ORDER BY tick) - 1) / 32 AS part FROM samples
) GROUP BY series, part;
DROP TABLE samples;
DROP TABLE series;
ALTER TABLE series_ RENAME TO series;
CREATE TABLE delivered ( -- samples without a time of their own, batch by batch
  id INTEGER PRIMARY KEY, -- how many there were up to and with these
  deliveries BLOB NOT NULL -- of each: slot (uint16), which is its packet identifier, modulo, and digest (8 bytes)
) STRICT;
INSERT INTO delivered SELECT count(*), in_order(slot, delivery_record(slot, digest)) FROM deliveries HAVING count(*);
DROP TABLE deliveries;
ALTER TABLE delivered RENAME TO deliveries;
""",
    """
ALTER TABLE gates ADD COLUMN sizes TEXT; -- as of models: of what was trained; NULL where no network tells
UPDATE gates SET sizes = (
  SELECT sizes FROM models WHERE models.stream = gates.stream AND models.version <= gates.version
  ORDER BY models.version DESC LIMIT 1
);
""",
    """
ALTER TABLE log ADD COLUMN handed_over INTEGER; -- id up to which forecasts were when this was committed, NULL: unknown
""",
    """
ALTER TABLE log ADD COLUMN checksum INTEGER; -- as damage.py has it, NULL where the row is older
ALTER TABLE chunks ADD COLUMN checksum INTEGER;
ALTER TABLE models ADD COLUMN checksum INTEGER;
""",
    """
ALTER TABLE series ADD COLUMN checksum INTEGER;
""",
    """
CREATE TABLE readings ( -- of ticks that are open, batch by batch, and of counters
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  fit TEXT NOT NULL, -- JSON of the settings that they were taken under
  whole INTEGER NOT NULL, -- 1: all that was known then, and what is of before is gone; 0: what came since
  readings BLOB NOT NULL, -- JSON
  checksum INTEGER NOT NULL
) STRICT;
""",
    """
CREATE TABLE covariates ( -- what their messages said, in the order in which they came
  id INTEGER PRIMARY KEY,
  stream TEXT NOT NULL,
  name TEXT NOT NULL, -- of the covariate
  topic TEXT NOT NULL,
  whole INTEGER NOT NULL, -- 1: all that is known on the topic; 0: values beside those before
  points BLOB NOT NULL, -- of each value: time, value (float64), little-endian
  places BLOB NOT NULL, -- of each series told: id, tick that it stood at (int64), time of its tick 0 (float64)
  checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX covariates_of ON covariates (stream, name, topic);
""",
)
"""Step i migrates version i to version i + 1; a step that was released never changes."""


Shape = list[tuple[str, str, str, int, int]]
"""Table, column, type, whether it may not be NULL, and its place in the primary key, of all columns of a file."""


class InOrder:
    """An aggregate for SQL: joins blobs in the order of a number."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, bytes]] = []

    def step(self, number: int, blob: bytes) -> None:
        """Adds a row."""
        self.rows.append((number, blob))

    def finalize(self) -> bytes:
        """The joined blobs."""
        return b"".join(blob for _, blob in sorted(self.rows))


def migrate(database: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> int:
    """Migrates a file to the newest version, each step in a transaction; returns the version it had.

    A file of a version beyond the newest is left as it is.
    """
    database.create_aggregate("in_order", 2, InOrder)  # type: ignore[arg-type]
    database.create_function("sample_record", 3, lambda tick, time, x: struct.pack("<qd", tick, time) + x)
    database.create_function("delivery_record", 2, lambda slot, digest: struct.pack("<H", slot) + digest)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for step in range(version, len(migrations)):
        database.executescript(f"BEGIN; {migrations[step]} PRAGMA user_version = {step + 1}; COMMIT;")
    return int(version)


def shape(database: sqlite3.Connection) -> Shape:
    """The tables that a file has."""
    return database.execute(
        'SELECT tables.name, columns.name, columns.type, "notnull", pk FROM sqlite_master AS tables'
        " JOIN pragma_table_info(tables.name) AS columns WHERE tables.type = 'table' ORDER BY 1, cid"
    ).fetchall()


def newest_shape(migrations: Sequence[str] = MIGRATIONS) -> Shape:
    """The tables that a file of the newest version has."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        migrate(database, migrations)
        return shape(database)
