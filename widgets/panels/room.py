"""Keeps panels from jumping when a part of them comes or goes."""

from __future__ import annotations

from PySide6.QtWidgets import QSizePolicy, QWidget


def keep_room(widget: QWidget) -> None:
    """Let a widget take its room in a layout also while it is hidden, and no more than that."""
    policy = widget.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.Fixed)
    policy.setRetainSizeWhenHidden(True)
    widget.setSizePolicy(policy)
