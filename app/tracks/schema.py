"""The tables of the labels, the same in the file beside a run and in a team's database.

A layer is one reader's labels of one run; every table below it is keyed by the layer first.
Changes of the tables are written down twice: here, and as a revision in `app.tracks.migrations`.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD = "0003"
"""The newest revision in `app.tracks.migrations`."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", Text, nullable=False),  # see app.tracks.identity
    Column("signature", Text, nullable=False),
    Column("frame_count", Integer, nullable=False),
)
layers = Table(
    "layers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("reader", Text, nullable=False),  # "" where there is but one
    UniqueConstraint("run_id", "reader"),
)


def _layer() -> Column[int]:
    key = ForeignKey("layers.id", ondelete="CASCADE")
    return Column("layer_id", Integer, key, primary_key=True, autoincrement=False)


def _below(column: str, parent: str) -> ForeignKeyConstraint:
    columns, parents = ["layer_id", column], [f"{parent}.layer_id", f"{parent}.id"]
    return ForeignKeyConstraint(columns, parents, ondelete="CASCADE")


tracks = Table(
    "tracks",
    metadata,
    _layer(),
    Column("id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("color", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("weights", Text, nullable=False),
)
points = Table(
    "points",
    metadata,
    _layer(),
    Column("track_id", String(32), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("x", Float(53)),
    Column("y", Float(53)),
    Column("state", Text),  # NULL: a person emptied the frame
    Column("source", Text, nullable=False),
    Column("confidence", Float(53)),
    Column("confirmed", Boolean, nullable=False),
    Column("moved", Boolean, nullable=False),
    _below("track_id", "tracks"),
)
steps = Table(
    "steps",
    metadata,
    _layer(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("label", Text, nullable=False),
    Column("undone", Boolean, nullable=False),
)
track_changes = Table(  # of tracks that may be deleted since: no foreign key
    "track_changes",
    metadata,
    _layer(),
    Column("step_id", Integer, primary_key=True, autoincrement=False),
    Column("track_id", String(32), primary_key=True),
    Column("before", Text),  # JSON, see app.tracks.rows
    Column("after", Text),
    _below("step_id", "steps"),
)
point_changes = Table(
    "point_changes",
    metadata,
    _layer(),
    Column("step_id", Integer, primary_key=True, autoincrement=False),
    Column("track_id", String(32), primary_key=True),
    Column("frame", Integer, primary_key=True, autoincrement=False),
    Column("before", Text),
    Column("after", Text),
    _below("step_id", "steps"),
)
marks = Table(
    "marks",
    metadata,
    _layer(),
    Column("id", String(32), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("frame", Integer),  # NULL: on all frames
    Column("points", Text, nullable=False),  # JSON
    Column("text", Text, nullable=False),
    Column("values", Text, nullable=False),  # JSON
    Column("position", Integer, nullable=False),
)
mark_changes = Table(  # of marks that may be deleted since
    "mark_changes",
    metadata,
    _layer(),
    Column("step_id", Integer, primary_key=True, autoincrement=False),
    Column("mark_id", String(32), primary_key=True),
    Column("before", Text),  # JSON
    Column("after", Text),
    _below("step_id", "steps"),
)
pending = Table(
    "pending",
    metadata,
    _layer(),
    Column("track_id", String(32), primary_key=True),
    Column("first_frame", Integer, nullable=False),
    Column("last_frame", Integer, nullable=False),
    Column("step_id", Integer, nullable=False),  # may not be in the history yet
    Column("forced", Boolean, nullable=False),
    _below("track_id", "tracks"),
)
reviews = Table(
    "reviews",
    metadata,
    _layer(),
    Column("playhead", Integer, nullable=False),
    Column("reviewed", Boolean, nullable=False),
    Column("view", Text, nullable=False),  # a JSON object
)
alembic_version = Table(
    "alembic_version", metadata, Column("version_num", String(32), primary_key=True)
)
