"""The tables of Fluorotrace 0.1: one run, one reader, no names for what was confirmed."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE run (identity TEXT NOT NULL);
CREATE TABLE review (playhead INTEGER NOT NULL, reviewed INTEGER NOT NULL, view TEXT NOT NULL);
CREATE TABLE tracks (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, color TEXT NOT NULL,
    position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE points (
    track_id TEXT NOT NULL, frame INTEGER NOT NULL, x REAL, y REAL, state TEXT NOT NULL,
    source TEXT NOT NULL, confidence REAL, PRIMARY KEY (track_id, frame)) WITHOUT ROWID;
CREATE TABLE steps (id INTEGER PRIMARY KEY, label TEXT NOT NULL, undone INTEGER NOT NULL);
CREATE TABLE track_changes (
    step_id INTEGER NOT NULL, track_id TEXT NOT NULL, before TEXT, after TEXT,
    PRIMARY KEY (step_id, track_id)) WITHOUT ROWID;
CREATE TABLE point_changes (
    step_id INTEGER NOT NULL, track_id TEXT NOT NULL, frame INTEGER NOT NULL,
    before TEXT, after TEXT, PRIMARY KEY (step_id, track_id, frame)) WITHOUT ROWID;
"""


def upgrade() -> None:
    """Make the tables; files of that version have them and are only stamped."""
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
