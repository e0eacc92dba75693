"""Marks: measures, words, the calibration, key images."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the new tables."""
    key = sa.ForeignKey("layers.id", ondelete="CASCADE")
    op.create_table(
        "marks",
        sa.Column("layer_id", sa.Integer, key, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("frame", sa.Integer),
        sa.Column("points", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("values", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
    )
    key = sa.ForeignKey("layers.id", ondelete="CASCADE")
    op.create_table(
        "mark_changes",
        sa.Column("layer_id", sa.Integer, key, primary_key=True, autoincrement=False),
        sa.Column("step_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("mark_id", sa.String(32), primary_key=True),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sa.ForeignKeyConstraint(
            ["layer_id", "step_id"], ["steps.layer_id", "steps.id"], ondelete="CASCADE"
        ),
    )
    op.execute("PRAGMA user_version=3")
