"""Layers of several readers; points that know whether a person confirmed them; pending tracking.

What was clicked or imported counted as confirmed in 0.1. Steps that changed nothing are dropped.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

OLD = ("review", "tracks", "points", "steps", "track_changes", "point_changes")
CONFIRMED = ("clicked", "imported")


def upgrade() -> None:
    """Make the new tables, move the labels over, and drop the old tables."""
    for table in OLD:
        op.rename_table(table, f"old_{table}")
    _make_tables()
    op.execute(
        "INSERT INTO runs (id, identity, signature, frame_count) SELECT 1, identity, '', 0 FROM run"
    )
    op.execute("INSERT INTO layers (id, run_id, reader) VALUES (1, 1, '')")
    op.execute(
        "INSERT INTO tracks (layer_id, id, name, kind, color, position, weights) "
        "SELECT 1, id, name, kind, color, position, '' FROM old_tracks"
    )
    op.execute(
        "INSERT INTO points (layer_id, track_id, frame, x, y, state, source, confidence, "
        "confirmed, moved) SELECT 1, track_id, frame, x, y, state, source, confidence, "
        f"source IN {CONFIRMED}, 0 FROM old_points"
    )
    op.execute(
        "INSERT INTO steps (layer_id, id, label, undone) SELECT 1, id, label, undone "
        "FROM old_steps WHERE id IN (SELECT step_id FROM old_track_changes "
        "UNION SELECT step_id FROM old_point_changes)"
    )
    _move_changes()
    op.execute(
        "INSERT INTO reviews (layer_id, playhead, reviewed, view) "
        "SELECT 1, playhead, reviewed, view FROM old_review"
    )
    for table in ("run", *(f"old_{table}" for table in OLD)):
        op.drop_table(table)
    op.execute("PRAGMA user_version=2")


def _move_changes() -> None:
    bind = op.get_bind()
    keys = {"track_changes": "step_id, track_id", "point_changes": "step_id, track_id, frame"}
    for table, key in keys.items():
        convert = _info if table == "track_changes" else _point
        names = [*key.split(", "), "before", "after"]
        new = sa.table(table, sa.column("layer_id"), *(sa.column(name) for name in names))
        found = bind.exec_driver_sql(f"SELECT {key}, before, after FROM old_{table}")
        for rows in found.partitions(5000):
            bind.execute(
                sa.insert(new),
                [
                    dict(zip(names, row, strict=True))
                    | {"layer_id": 1, "before": convert(row[-2]), "after": convert(row[-1])}
                    for row in rows
                ],
            )


def _info(text: str | None) -> str | None:
    """Add the weights, which nobody wrote down."""
    return None if text is None else json.dumps([*json.loads(text), ""])


def _point(text: str | None) -> str | None:
    """Add whether it was confirmed, and that it was not moved."""
    if text is None:
        return None
    values = json.loads(text)
    return json.dumps([*values, values[4] in CONFIRMED, False])


def _make_tables() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("frame_count", sa.Integer, nullable=False),
    )
    op.create_table(
        "layers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "run_id", sa.Integer, sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("reader", sa.Text, nullable=False),
        sa.UniqueConstraint("run_id", "reader"),
    )
    op.create_table(
        "tracks",
        _layer(),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("color", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("weights", sa.Text, nullable=False),
    )
    op.create_table(
        "points",
        _layer(),
        sa.Column("track_id", sa.String(32), primary_key=True),
        sa.Column("frame", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("x", sa.Float(53)),
        sa.Column("y", sa.Float(53)),
        sa.Column("state", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float(53)),
        sa.Column("confirmed", sa.Boolean, nullable=False),
        sa.Column("moved", sa.Boolean, nullable=False),
        _below("track_id", "tracks"),
    )
    op.create_table(
        "steps",
        _layer(),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("undone", sa.Boolean, nullable=False),
    )
    op.create_table(
        "track_changes",
        _layer(),
        sa.Column("step_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("track_id", sa.String(32), primary_key=True),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        _below("step_id", "steps"),
    )
    op.create_table(
        "point_changes",
        _layer(),
        sa.Column("step_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("track_id", sa.String(32), primary_key=True),
        sa.Column("frame", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        _below("step_id", "steps"),
    )
    op.create_table(
        "pending",
        _layer(),
        sa.Column("track_id", sa.String(32), primary_key=True),
        sa.Column("first_frame", sa.Integer, nullable=False),
        sa.Column("last_frame", sa.Integer, nullable=False),
        sa.Column("step_id", sa.Integer, nullable=False),
        sa.Column("forced", sa.Boolean, nullable=False),
        _below("track_id", "tracks"),
    )
    op.create_table(
        "reviews",
        _layer(),
        sa.Column("playhead", sa.Integer, nullable=False),
        sa.Column("reviewed", sa.Boolean, nullable=False),
        sa.Column("view", sa.Text, nullable=False),
    )


def _layer() -> sa.Column[int]:
    key = sa.ForeignKey("layers.id", ondelete="CASCADE")
    return sa.Column("layer_id", sa.Integer, key, primary_key=True, autoincrement=False)


def _below(column: str, parent: str) -> sa.ForeignKeyConstraint:
    columns, parents = ["layer_id", column], [f"{parent}.layer_id", f"{parent}.id"]
    return sa.ForeignKeyConstraint(columns, parents, ondelete="CASCADE")
