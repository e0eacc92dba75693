"""Edits of marks: put there, changed, removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.tracks.edits import Edit, MarkChange
from app.tracks.marks import Mark


def add_mark(label: str, mark: Mark) -> Edit:
    """Add a mark."""
    return Edit(label, (MarkChange(mark.id, None, mark),))


def change_mark(label: str, mark: Mark, **fields: Any) -> Edit:
    """Change fields of a mark; no change where they have these values."""
    after = replace(mark, **fields)
    return Edit(label, () if after == mark else (MarkChange(mark.id, mark, after),))


def remove_marks(label: str, marks: Sequence[Mark]) -> Edit:
    """Remove marks."""
    return Edit(label, tuple(MarkChange(mark.id, mark, None) for mark in marks))
