"""Key images: pictures of the run that somebody wants to keep, as they were on the screen."""

from __future__ import annotations

from dataclasses import replace
from gettext import gettext as tr
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.session.labelling import Labelling
from app.session.look import Look, LookKeeper, look_from, view_of
from app.session.open_run import OpenRun
from app.session.playback import Playback
from app.tracks.history import LabelsChange
from app.tracks.mark_edits import add_mark, change_mark, remove_marks
from app.tracks.marks import Mark, MarkKind, new_mark, plain_words

SIDES = range(16, 16_385)
"""What a side of a view can be; it stands in a file, and a picture of that shape is drawn."""
MOST_LENGTHWISE = 16


class KeyImages(QObject):
    """Keeps frames with window, zoom and mode; each is a gesture of the labels.

    Signals
    -------
    changed() : another run, or other key images.
    kept() : the user kept one.
    """

    changed = Signal()
    kept = Signal()

    def __init__(self, labelling: Labelling, playback: Playback, look: LookKeeper) -> None:
        super().__init__()
        self._labelling = labelling
        self._playback = playback
        self._look = look
        self._opened: OpenRun | None = None
        labelling.labels_changed.connect(self._follow)

    def set_run(self, opened: OpenRun | None) -> None:
        """Keep images of another run."""
        self._opened = opened
        self.changed.emit()

    @property
    def images(self) -> tuple[Mark, ...]:
        """The key images of the run, in the order in which they were kept."""
        return () if self._opened is None else key_images(self._opened)

    def keep(self, size: tuple[int, int]) -> None:
        """Keep the picture as it stands.

        Parameters
        ----------
        size : (width, height)
            Of the view, in units of the screen: what its zoom means.
        """
        if self._opened is None:
            return
        self._playback.pause()
        view = view_of(self._look.now, self._opened.run) | {"size": list(size)}
        image = new_mark(
            self._opened.labels.marks,
            MarkKind.KEY_IMAGE,
            frame=self._playback.frame,
            values={"view": view},
        )
        label = tr("Keep frame {number}").format(number=_number(image))
        if self._labelling.apply(add_mark(label, image)) is not None:
            self.kept.emit()

    def show(self, mark_id: str, size: tuple[int, int]) -> None:
        """Bring a key image back to the screen: its frame, window, zoom and mode."""
        opened, image = self._opened, self._find(mark_id)
        if opened is None or image is None or image.frame is None:
            return
        self._playback.pause()
        self._playback.seek(image.frame)
        self._look.set(look_of(image, opened, self._look.now, size))

    def write(self, mark_id: str, text: str) -> None:
        """Write words below a key image."""
        image = self._find(mark_id)
        if image is not None:
            label = tr("Write on frame {number}").format(number=_number(image))
            words = " ".join(plain_words(text).split())
            if words != image.text:
                self._labelling.apply(change_mark(label, image, text=words))

    def remove(self, mark_id: str) -> None:
        """Keep an image no longer."""
        image = self._find(mark_id)
        if image is not None:
            label = tr("Let frame {number} go").format(number=_number(image))
            self._labelling.apply(remove_marks(label, [image]))

    def _find(self, mark_id: str) -> Mark | None:
        return next((image for image in self.images if image.id == mark_id), None)

    def _follow(self, change: LabelsChange) -> None:
        if change.marks_changed:
            self.changed.emit()


def key_images(opened: OpenRun) -> tuple[Mark, ...]:
    """Return the key images of a run."""
    marks = opened.labels.marks
    return tuple(m for m in marks if m.kind is MarkKind.KEY_IMAGE and m.frame is not None)


def look_of(image: Mark, opened: OpenRun, default: Look, size: tuple[int, int]) -> Look:
    """Return how a key image looks in a view of this size; the rest is as in ``default``.

    What does not belong to the picture, such as whether patient data is shown, stays as it is.
    """
    view = image.values.get("view")
    look = look_from(view if isinstance(view, dict) else {}, opened.run, default)
    kept = view.get("size") if isinstance(view, dict) else None
    if look.place is None or not _is_size(kept):
        return look
    zoom, x, y = look.place
    assert kept is not None
    share = min(size[0] / kept[0], size[1] / kept[1])
    return replace(look, place=(zoom * share, x, y))


def view_size(image: Mark) -> tuple[int, int] | None:
    """Return the size of the view in which an image was kept; None where nobody knows."""
    view = image.values.get("view")
    size = view.get("size") if isinstance(view, dict) else None
    return (int(size[0]), int(size[1])) if size is not None and _is_size(size) else None


def caption(image: Mark) -> str:
    """Name a key image for the user."""
    number = tr("Frame {number}").format(number=_number(image))
    return f"{number}: {image.text}" if image.text else number


def _is_size(size: Any) -> bool:
    return (
        isinstance(size, list)
        and len(size) == 2
        and all(type(side) is int and side in SIDES for side in size)
        and max(size) <= MOST_LENGTHWISE * min(size)
    )


def _number(image: Mark) -> int:
    return (image.frame or 0) + 1
