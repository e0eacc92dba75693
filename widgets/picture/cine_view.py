"""The picture area: a frame of a run, and what the user does to it with mouse and keys."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from math import hypot

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QNativeGestureEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from widgets.picture.compare import PictureKind, Tile, ViewMode
from widgets.picture.corner_text import MessageKind
from widgets.picture.marked_view import Hand, MarkedView
from widgets.picture.track_overlay import OverlayPoint, TrackOverlay, anchor
from widgets.point_look import PointLook

WHEEL_ZOOM = 1.2
WHEEL_NOTCH = 120
DRAG_DISTANCE = 4.0
GRAB_DISTANCE = 14.0
PICK_DISTANCE = 9.0
DIVIDER_GRAB = 7.0
ENDING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Gesture(Enum):
    """What the pressed mouse button does."""

    PRESS = auto()  # not yet known: a click or a drag
    PAN = auto()
    WINDOW = auto()
    ZOOM = auto()
    POINT = auto()
    DIVIDER = auto()
    DRAW = auto()
    MARK = auto()


DRAGS = {Hand.LABEL: Gesture.PAN, Hand.PAN: Gesture.PAN, Hand.ZOOM: Gesture.ZOOM}
"""What a drag with the left button does where nothing lies under it."""
HAND_CURSORS = {
    Hand.WINDOW: Qt.CursorShape.ArrowCursor,
    Hand.PAN: Qt.CursorShape.OpenHandCursor,
    Hand.ZOOM: Qt.CursorShape.SizeVerCursor,
    Hand.DRAW: Qt.CursorShape.CrossCursor,
}
DRAG_ZOOM = 1.01
"""How much a drag up by one pixel enlarges."""


class CineView(MarkedView):
    """Draws a frame and tells what the user wants of it; it decides nothing.

    Signals
    -------
    wheel_stepped(int) : frames to step, +1 a notch towards the user.
    window_drag_started(), window_dragged(float, float), window_drag_finished() :
        the right button was dragged; (dx, dy) in pixels since the last call, down is positive.
    point_clicked(int, float, float, Qt.KeyboardModifier) : a click on the picture: the frame on
        which the button went down, and the place.
    track_picked(str) : a click on the point of a track that is not selected.
    point_drag_started(str, int), point_dropped(str, int, float, float),
    point_drag_cancelled(str, int) :
        the selected track's point is dragged, on the frame on which it was taken; the view shows
        it at the mouse until it is dropped.
    blocked_click() : a click or drag would have changed a point, but the view is locked.
    mouse_moved(float, float), mouse_left() : the mouse over the picture, and off it.
    full_screen_toggled() : a double click; while labelling only beside the picture, where quick
        clicks are clicks.
    invitation_clicked() : a click while nothing but an invitation is shown.
    """

    wheel_stepped = Signal(int)
    window_drag_started = Signal()
    window_dragged = Signal(float, float)
    window_drag_finished = Signal()
    point_clicked = Signal(int, float, float, Qt.KeyboardModifier)
    track_picked = Signal(str)
    point_drag_started = Signal(str, int)
    point_dropped = Signal(str, int, float, float)
    point_drag_cancelled = Signal(str, int)
    blocked_click = Signal()
    mouse_moved = Signal(float, float)
    mouse_left = Signal()
    full_screen_toggled = Signal()
    invitation_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self._loupe_on = False
        self._loupe_held = False
        self._gesture: Gesture | None = None
        self._gesture_button = Qt.MouseButton.NoButton
        self._gesture_frame = 0
        self._pressed_at = QPointF()
        self._last_at = QPointF()
        self._pressed_on: TrackOverlay | None = None
        self._held: TrackOverlay | None = None
        self._held_offset = QPointF()
        self._wheel_rest = 0
        self._invitation_pressed = False

    @property
    def dragging(self) -> bool:
        """True while the user holds the picture, a point or the window."""
        return self._gesture is not None

    def set_locked(self, reason: str) -> None:
        """Let no click or drag change a point, and show why; "" unlocks. Tracks can be picked."""
        if reason and self._gesture is Gesture.POINT:
            self._end_gesture()
        self._lock_reason = reason
        self.viewport().update()

    def clear_frame(self) -> None:
        """Empty the view; what the mouse holds is given back."""
        self._end_gesture()
        self.cancel_drawing()
        super().clear_frame()

    @property
    def loupe(self) -> bool:
        """True where the loupe is kept at the mouse."""
        return self._loupe_on

    def set_loupe(self, shown: bool) -> None:
        """Keep the loupe at the mouse; while L is held or a point dragged it shows anyway."""
        self._loupe_on = shown
        self.viewport().update()

    def _tracks_now(self) -> tuple[TrackOverlay, ...]:
        """Return the tracks, a dragged point at the mouse."""
        held = self._held
        if self._gesture is not Gesture.POINT or held is None or self._frame != self._gesture_frame:
            return self._tracks
        point = OverlayPoint(*self._held_point(), PointLook.CLICKED)
        return tuple(
            replace(track, point=point) if track.track_id == held.track_id else track
            for track in self._tracks
        )

    def _loupe_place(self) -> tuple[Tile, QPointF] | None:
        if self._mouse is None:
            return None
        if self._gesture is Gesture.POINT and self._frame == self._gesture_frame:
            tile = self._tile_at(self._pressed_at)
            return tile, self._view_in(tile).to_screen(tile.pane, *self._held_point())
        shown = self._loupe_on or self._loupe_held
        return (self._tile_at(self._mouse), self._mouse) if shown else None

    # Mouse and keys

    @property
    def _invites(self) -> bool:
        """True while nothing but an invitation is shown: a click takes it up."""
        return self._message is not None and self._message.kind is MessageKind.INVITATION

    def _track_near(self, position: QPointF) -> TrackOverlay | None:
        """Return the track whose point lies under the mouse, the selected one first."""
        tile = self._tile_at(position)
        if not self._overlay_visible or tile.kind is PictureKind.ENHANCED:
            return None
        near = []
        for track in self._tracks:
            place = anchor(track)
            if place is None:
                continue
            away = self._view_in(tile).to_screen(tile.pane, *place) - position
            distance = hypot(away.x(), away.y())
            reach = GRAB_DISTANCE if track.selected and not self._lock_reason else PICK_DISTANCE
            if distance <= reach * self._unit():
                near.append((not track.selected, distance, track))
        return min(near, key=lambda entry: entry[:2])[2] if near else None

    def _held_point(self) -> tuple[float, float]:
        at = self._last_at + self._held_offset
        tile = self._tile_at(self._pressed_at)
        return self._within(*self._view_in(tile).to_image(tile.pane, at))

    def _on_divider(self, position: QPointF) -> bool:
        x = self._divider * self._area().width()
        locked = self._mode is ViewMode.WIPE and self._divider_locked
        return locked and abs(position.x() - x) <= DIVIDER_GRAB

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag; other buttons wait until it ends."""
        event.accept()
        if self._gesture is not None:
            return
        if self._pictures is None:
            self._invitation_pressed = self._invites and event.button() is Qt.MouseButton.LeftButton
            return
        position = event.position() + self._half_pixel()
        self._pressed_at = self._last_at = position
        self._gesture_button = event.button()
        self._gesture_frame = self._frame
        self._held = self._pressed_on = None
        match event.button():
            case Qt.MouseButton.LeftButton if self._on_divider(position):
                self._gesture = Gesture.DIVIDER
            case Qt.MouseButton.LeftButton if self._hand is Hand.DRAW and (
                self.drawing or self._mark_near(position) is None
            ):
                self._gesture = Gesture.DRAW
                self._press_drawing(position)
            case Qt.MouseButton.LeftButton if (mark := self._mark_near(position)) is not None:
                self._gesture = Gesture.PRESS
                self._hold_mark(mark, position)
            case Qt.MouseButton.LeftButton:
                self._gesture = Gesture.PRESS
                near = self._pressed_on = self._track_near(position)
                if near is not None and near.selected and self._hand is Hand.LABEL:
                    place = anchor(near)
                    tile = self._tile_at(position)
                    self._held = near
                    if place is not None:
                        there = self._view_in(tile).to_screen(tile.pane, *place)
                        self._held_offset = there - position
            case Qt.MouseButton.MiddleButton:
                self._gesture = Gesture.PAN
            case Qt.MouseButton.RightButton:
                self._gesture = Gesture.WINDOW
                self.window_drag_started.emit()
        self._show_cursor(position)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with a drag; without one, the wipe and the cross-hair follow the mouse."""
        position = event.position() + self._half_pixel()
        moved = position - self._last_at
        self._mouse = position
        if self._gesture is Gesture.PRESS:
            away = position - self._pressed_at
            if hypot(away.x(), away.y()) < DRAG_DISTANCE:
                return
            if self._held is not None and self._lock_reason:
                self._end_gesture()
                self.blocked_click.emit()
                return
            self._begin_drag()
        self._last_at = position
        match self._gesture:
            case Gesture.PAN if self._pictures is not None:
                rows, columns = self._pictures.shape
                self._fitted = False
                self._look(self._view.moved(moved.x(), moved.y(), columns, rows))
                self._refresh()
            case Gesture.WINDOW:
                self.window_dragged.emit(moved.x(), moved.y())
            case Gesture.ZOOM:
                zoom = self._view.zoom * DRAG_ZOOM ** -moved.y()
                self._zoom_about(self._tile_at(self._pressed_at), self._pressed_at, zoom)
            case Gesture.DIVIDER:
                self.set_wipe_position(position.x() / self._area().width())
            case None if self._mode is ViewMode.WIPE and not self._divider_locked:
                self.set_wipe_position(position.x() / self._area().width())
        self._follow_drawing(position)
        self._tell_mouse(position)
        self._show_cursor(position)
        self.viewport().update()

    def _begin_drag(self) -> None:
        """Find out what a press becomes that moves."""
        if self._mark_held is not None:
            self._gesture = Gesture.MARK
        elif self._held is not None:
            self._gesture = Gesture.POINT
            self.point_drag_started.emit(self._held.track_id, self._gesture_frame)
        else:
            self._gesture = DRAGS.get(self._hand, Gesture.WINDOW)
            if self._gesture is Gesture.WINDOW:
                self.window_drag_started.emit()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a drag; what did not move was a click."""
        event.accept()
        if self._invitation_pressed and event.button() is Qt.MouseButton.LeftButton:
            self._invitation_pressed = False
            if self._invites:
                self.invitation_clicked.emit()
            return
        if self._gesture is None or event.button() is not self._gesture_button:
            return
        position = event.position() + self._half_pixel()
        gesture, held = self._gesture, self._held
        self._last_at = position if gesture is Gesture.POINT else self._last_at
        dropped = self._held_point() if gesture is Gesture.POINT else None
        mark = self._mark_held
        moved = self._dragged_mark(position) if gesture is Gesture.MARK else None
        self._gesture = self._held = self._mark_held = None
        if held is not None and dropped is not None:
            self.point_dropped.emit(held.track_id, self._gesture_frame, *dropped)
        elif gesture is Gesture.WINDOW:
            self.window_drag_finished.emit()
        elif gesture is Gesture.DRAW:
            away = position - self._pressed_at
            dragged = hypot(away.x(), away.y()) >= DRAG_DISTANCE
            self._release_drawing(position if dragged else self._pressed_at, dragged=dragged)
        elif moved is not None:
            self._tell_dropped(moved)
        elif gesture is Gesture.PRESS and mark is not None:
            self.mark_picked.emit(mark.mark_id)
        elif gesture is Gesture.PRESS:
            self._click(self._pressed_at, event.modifiers())
        self._show_cursor(position)
        self.viewport().update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """End a figure, open a mark, or toggle full screen; never in the way of quick clicks."""
        position = event.position() + self._half_pixel()
        on_picture = self._inside(*self.image_point(event.position()))
        clicks = on_picture and self._hand in (Hand.LABEL, Hand.DRAW)
        mark = self._mark_near(position)
        if event.button() is not Qt.MouseButton.LeftButton or self._invites:
            self.mousePressEvent(event)
        elif self.drawing:
            event.accept()
            self.end_drawing()
        elif mark is not None:
            event.accept()
            self.mark_opened.emit(mark[0].mark_id)
        elif clicks:
            self.mousePressEvent(event)
        else:
            event.accept()
            self.full_screen_toggled.emit()

    def _click(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        near, tile = self._pressed_on, self._tile_at(position)
        x, y = self._to_image(position)
        if near is not None and not near.selected:
            self.track_picked.emit(near.track_id)
        elif self._hand is not Hand.LABEL:
            self.mark_picked.emit("")
        elif tile.kind is PictureKind.ENHANCED:
            return  # it is of no single frame
        elif self._inside(x, y) and self._lock_reason:
            self.blocked_click.emit()
        elif self._inside(x, y):
            self.point_clicked.emit(self._gesture_frame, *self._within(x, y), modifiers)

    def _end_gesture(self) -> None:
        """Give back what the mouse holds, before the button is let go."""
        gesture, held = self._gesture, self._held
        self._gesture = self._held = self._mark_held = None
        self.viewport().update()
        if gesture is Gesture.POINT and held is not None:
            self.point_drag_cancelled.emit(held.track_id, self._gesture_frame)
        elif gesture is Gesture.WINDOW:
            self.window_drag_finished.emit()

    def _tell_mouse(self, position: QPointF) -> None:
        x, y = self._to_image(position)
        if self._inside(x, y):
            self.mouse_moved.emit(x, y)
        else:
            self.mouse_left.emit()

    def _show_cursor(self, position: QPointF) -> None:
        self.viewport().setCursor(self._cursor_at(position))

    def _cursor_at(self, position: QPointF) -> Qt.CursorShape:
        if self._pictures is None:
            invites = self._invites
            return Qt.CursorShape.PointingHandCursor if invites else Qt.CursorShape.ArrowCursor
        match self._gesture:
            case Gesture.PAN | Gesture.MARK:
                return Qt.CursorShape.ClosedHandCursor
            case Gesture.POINT:
                here = self._frame == self._gesture_frame
                return Qt.CursorShape.BlankCursor if here else Qt.CursorShape.ClosedHandCursor
            case Gesture.DIVIDER:
                return Qt.CursorShape.SplitHCursor
            case Gesture.PRESS | Gesture.DRAW:
                return Qt.CursorShape.CrossCursor
            case Gesture.WINDOW | Gesture.ZOOM:
                return HAND_CURSORS[Hand.WINDOW if self._gesture is Gesture.WINDOW else Hand.ZOOM]
        if self._on_divider(position):
            return Qt.CursorShape.SplitHCursor
        near = self._track_near(position)
        if near is not None and not near.selected:
            return Qt.CursorShape.PointingHandCursor
        if self._hand is not Hand.LABEL:
            on_mark = not self.drawing and self._mark_near(position) is not None
            return Qt.CursorShape.OpenHandCursor if on_mark else HAND_CURSORS[self._hand]
        if self._lock_reason:
            return Qt.CursorShape.ForbiddenCursor
        return Qt.CursorShape.CrossCursor if near is None else Qt.CursorShape.OpenHandCursor

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step frames; with Ctrl, zoom at the mouse."""
        event.accept()
        delta = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            position = event.position() + self._half_pixel()
            zoom = self._view.zoom * WHEEL_ZOOM ** (delta / WHEEL_NOTCH)
            self._zoom_about(self._tile_at(position), position, zoom)
            return
        if self._gesture is not None:
            return  # what is held belongs to the frame on which it was taken
        self._wheel_rest -= delta
        steps = int(self._wheel_rest / WHEEL_NOTCH)
        if steps:
            self._wheel_rest -= steps * WHEEL_NOTCH
            self.wheel_stepped.emit(steps)

    def viewportEvent(self, event: QEvent) -> bool:
        """Zoom by a pinch on a touch pad."""
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() is Qt.NativeGestureType.ZoomNativeGesture
        ):
            position = event.position() + self._half_pixel()
            zoom = self._view.zoom * (1.0 + event.value())
            self._zoom_about(self._tile_at(position), position, zoom)
            return True
        return super().viewportEvent(event)

    def event(self, event: QEvent) -> bool:
        """Take keys from the window: Escape while a point is dragged, Return while drawing."""
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            gives_back = event.key() == Qt.Key.Key_Escape and self._gesture is Gesture.POINT
            if gives_back or (event.key() in ENDING_KEYS and self.drawing):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives a dragged point back, Return ends a figure, L holds the loupe."""
        if event.key() == Qt.Key.Key_Escape and self._gesture is Gesture.POINT:
            self._end_gesture()
        elif event.key() in ENDING_KEYS and self.drawing:
            self.end_drawing()
        elif event.key() == Qt.Key.Key_L and not event.modifiers():
            self._loupe_held = True
            self.viewport().update()
        else:
            event.ignore()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Let the loupe go with L."""
        if event.key() == Qt.Key.Key_L and not event.isAutoRepeat():
            self._loupe_held = False
            self.viewport().update()
        else:
            event.ignore()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Let the loupe go; its key will be released elsewhere."""
        super().focusOutEvent(event)
        self._loupe_held = False
        self.viewport().update()

    def leaveEvent(self, event: QEvent) -> None:
        """Take the mouse's marks off the picture."""
        event.accept()
        self._mouse = None
        self.mouse_left.emit()
        self.viewport().update()
