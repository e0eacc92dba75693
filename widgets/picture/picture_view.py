"""Draws one frame of a run: original and denoised, its tracks and what is written on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from gettext import gettext as tr

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QImage, QPainter
from PySide6.QtWidgets import QGraphicsView, QWidget

from widgets.picture.color_scale import paint_color_scale
from widgets.picture.compare import (
    BESIDE_EACH_OTHER,
    FramePictures,
    PictureKind,
    PictureNames,
    Tile,
    ViewMode,
    tiles,
)
from widgets.picture.corner_text import (
    Corner,
    CornerBlock,
    Message,
    MessageKind,
    layout_corners,
    paint_corners,
    paint_message,
    paint_scale_bar,
    picture_font,
)
from widgets.picture.mark_overlay import MarkOverlay, paint_marks
from widgets.picture.picture_marks import paint_cross_hair, paint_divider, paint_loupe
from widgets.picture.picture_tile import PictureTile
from widgets.picture.pills import (
    Pill,
    lock_pill,
    name_pills,
    paint_lock_frame,
    paint_pill,
    top_clear_of,
)
from widgets.picture.track_overlay import TrackOverlay, paint_tracks
from widgets.picture.vessel_overlay import Point, paint_pointer
from widgets.picture.viewport import Viewport
from widgets.theme import PICTURE_SURROUND

CRISP_ABOVE_ZOOM = 3.0
"""Enlarged more than this, single pixels are shown as squares."""
ZOOM_STEP = 1.44
KEEP_PROPORTIONS = Qt.AspectRatioMode.KeepAspectRatio


class PictureView(pg.GraphicsView):
    """A frame on the screen; it shows what it is given and answers to no mouse.

    Points are (x, y) in image pixels, pixel centres at integers.

    Signals
    -------
    zoom_changed(float) : the zoom in percent; 100 is one screen pixel an image pixel.
    place_changed() : `place` is another.
    """

    zoom_changed = Signal(float)
    place_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, useOpenGL=False, background=PICTURE_SURROUND)
        self.setAccessibleName(tr("X-ray picture"))
        self.setViewportUpdateMode(QGraphicsView.ViewportUpdateMode.FullViewportUpdate)
        self.setMinimumSize(160, 160)
        self.setAcceptDrops(False)  # files dropped here are the window's
        self._picture_tiles = (PictureTile(), PictureTile())
        for item in self._picture_tiles:
            self.addItem(item)

        self._pictures: FramePictures | None = None
        self._frame = 0
        self._shape: tuple[int, ...] = ()
        self._names = PictureNames()
        self._mode = ViewMode.ORIGINAL
        self._view = Viewport()
        self._shift: tuple[float, float] | None = None
        self._fitted = True
        self._divider = 0.5
        self._divider_locked = False
        self._tracks: tuple[TrackOverlay, ...] = ()
        self._marks: tuple[MarkOverlay, ...] = ()
        self._pointer: tuple[Point, Point] | None = None
        self._overlay_visible = True
        self._corners: dict[Corner, tuple[str, ...]] = {}
        self._corners_visible = True
        self._scale_bar: tuple[float, str] | None = None
        self._message: Message | None = None
        self._lock_reason = ""
        self._pills_layout: tuple[object, ...] = ()
        self._pills_top = 0.0
        self._mouse: QPointF | None = None
        self._for_export = False
        self.sigDeviceRangeChanged.connect(self._resized)

    # What is shown

    @property
    def mode(self) -> ViewMode:
        """How original and denoised are compared."""
        return self._mode

    @property
    def zoom_percent(self) -> float:
        """Screen pixels to an image pixel, in percent."""
        return 100.0 * self._view.zoom * self.devicePixelRatioF()

    def set_frame(self, pictures: FramePictures, frame: int) -> None:
        """Show a frame of this number (from 0); a picture of another size is fitted."""
        self._pictures, self._frame = pictures, frame
        if pictures.shape != self._shape:
            self._shape = pictures.shape
            self._fitted = True
        self._fit_again()
        self._refresh()

    def clear_frame(self) -> None:
        """Empty the view; zoom and place stay for a next picture of the same size."""
        self._pictures = None
        self._pills_layout = ()
        self._refresh()

    def set_pixel_aspect(self, aspect: float) -> None:
        """Draw pixels that are ``aspect`` times as high as wide; the picture is fitted."""
        self._view = replace(self._view, aspect=aspect)
        self.fit()

    def set_orientation(self, turns: int, mirrored: bool) -> None:
        """Turn the picture clockwise by quarters, mirrored (left to right) before; zoom stays."""
        self._look(replace(self._view, turns=turns % 4, mirrored=mirrored))
        self._fit_again()
        self._refresh()

    def set_shift(self, shift: tuple[float, float] | None) -> None:
        """Move what is seen by (x, y) image pixels to follow a device; None follows nothing.

        `place` stays what it is, and so does an enhanced picture, in which the device lies still.
        """
        if shift != self._shift:
            self._shift = shift
            self._refresh()

    def set_mode(self, mode: ViewMode) -> None:
        """Compare in another way; zoom and place stay, a fitted picture stays fitted."""
        if mode is not self._mode:
            self._mode = mode
            self._fit_again()
            self._refresh()

    def set_names(self, names: PictureNames) -> None:
        """Set what is written on the pictures, such as "Denoised 80%"."""
        self._names = names
        self.viewport().update()

    def set_tracks(self, tracks: Sequence[TrackOverlay]) -> None:
        """Show these tracks on the frame."""
        self._tracks = tuple(tracks)
        self.viewport().update()

    def set_marks(self, marks: Sequence[MarkOverlay]) -> None:
        """Show these measures and words on the frame."""
        self._marks = tuple(marks)
        self.viewport().update()

    def set_pointer(self, ends: tuple[Point, Point] | None) -> None:
        """Show a line between two image points (x, y) across what is pointed at elsewhere."""
        if ends != self._pointer:
            self._pointer = ends
            self.viewport().update()

    def set_overlay_visible(self, visible: bool) -> None:
        """Show or hide all tracks and marks; what is hidden cannot be picked or dragged."""
        self._overlay_visible = visible
        self.viewport().update()

    def set_corner(self, corner: Corner, lines: Sequence[str]) -> None:
        """Set the text of one corner, a line an item."""
        self._corners[corner] = tuple(lines)
        self.viewport().update()

    def set_corners_visible(self, visible: bool) -> None:
        """Show or hide the text of all corners."""
        self._corners_visible = visible
        self.viewport().update()

    def set_scale_bar(self, mm_per_px: float | None, text: str = "") -> None:
        """Show a scale bar with the source of its length; None where no millimetre may be shown."""
        self._scale_bar = None if mm_per_px is None else (mm_per_px, text)
        self.viewport().update()

    def set_message(
        self, title: str, text: str = "", kind: MessageKind = MessageKind.INVITATION
    ) -> None:
        """Show a message in the middle; an empty title takes it away."""
        self._message = Message(title, text, kind) if title else None
        self.viewport().update()

    def set_wipe_locked(self, locked: bool) -> None:
        """Leave the wipe's divider where it is, to be dragged, or let it follow the mouse."""
        self._divider_locked = locked
        self.viewport().update()

    @property
    def wipe_position(self) -> float:
        """Where the wipe's divider stands, 0 at the left, 1 at the right."""
        return self._divider

    def set_wipe_position(self, fraction: float) -> None:
        """Move the wipe's divider, 0 at the left, 1 at the right."""
        self._divider = min(max(fraction, 0.0), 1.0)
        self._refresh()

    # Zoom

    def fit(self) -> None:
        """Show the whole picture, and keep it so when the view changes its size."""
        self._fitted = True
        self._fit_again()
        self._refresh()

    @property
    def place(self) -> tuple[float, float, float] | None:
        """Zoom (screen units to an image pixel) and the image point (x, y) in the middle.

        None while the whole picture is fitted.
        """
        view = self._view
        return None if self._fitted else (view.zoom, view.center_x, view.center_y)

    def set_place(self, place: tuple[float, float, float] | None) -> None:
        """Go to a `place`; None fits the picture."""
        if place is None or self._pictures is None:
            self.fit()
            return
        rows, columns = self._pictures.shape
        zoom, x, y = place
        self._fitted = False
        there = replace(self._view, center_x=x, center_y=y)
        pane = self._tiles()[0].pane
        self._look(there.zoomed(pane, pane.center(), zoom).moved(0.0, 0.0, columns, rows))
        self._refresh()

    def one_to_one(self) -> None:
        """Show one image pixel on one screen pixel."""
        self.zoom_to(100.0)

    def zoom_in(self) -> None:
        """Enlarge about the mouse, or about the middle where the mouse is elsewhere."""
        self.zoom_to(self.zoom_percent * ZOOM_STEP)

    def zoom_out(self) -> None:
        """Reduce about the mouse, or about the middle where the mouse is elsewhere."""
        self.zoom_to(self.zoom_percent / ZOOM_STEP)

    def zoom_to(self, percent: float) -> None:
        """Zoom about the mouse, or about the middle where the mouse is elsewhere."""
        tile = self._tile_at(self._mouse) if self._mouse is not None else self._tiles()[0]
        about = self._mouse if self._mouse is not None else tile.pane.center()
        self._zoom_about(tile, about, percent / 100.0 / self.devicePixelRatioF())

    # Where things are

    def image_point(self, position: QPointF) -> tuple[float, float]:
        """Return the image point (x, y) that a mouse event at ``position`` means."""
        return self._to_image(position + self._half_pixel())

    def whole_step(self, right: int, down: int) -> tuple[int, int]:
        """Return a step on the screen as one in the image, of as many pixels."""
        x, y = replace(self._view, zoom=1.0, aspect=1.0).image_step(right, down)
        return round(x), round(y)

    def mouse_position(self, x: float, y: float) -> QPointF:
        """Return where the mouse must be to mean the image point (x, y), in the first pane."""
        tile = self._tiles()[0]
        return self._view_in(tile).to_screen(tile.pane, x, y) - self._half_pixel()

    def grab_picture(self, size: QSize | None = None) -> QImage:
        """Return what is on the screen, without the mouse's cross-hair and loupe.

        Works on a view that was never shown, too.

        Parameters
        ----------
        size : QSize, optional
            Of the image; the view is scaled into it with its proportions kept. As on the screen
            where left out.

        Returns
        -------
        QImage
            Format_RGB32.
        """
        if self.testAttribute(Qt.WidgetAttribute.WA_PendingResizeEvent):
            self.grab(QRect(0, 0, 1, 1))  # Qt lays the view out
        image = QImage(size or self.size() * self.devicePixelRatioF(), QImage.Format.Format_RGB32)
        image.fill(QColor(PICTURE_SURROUND))
        painter = QPainter(image)
        self._for_export = True
        fitted = QRectF(QPointF(), QSizeF(self.size()).scaled(image.size(), KEEP_PROPORTIONS))
        fitted.moveCenter(QRectF(image.rect()).center())
        self.render(painter, fitted, self.viewport().rect())
        self._for_export = False
        painter.end()
        return image

    def _area(self) -> QRectF:
        return QRectF(self.viewport().rect())

    def _tiles(self) -> tuple[Tile, ...]:
        return tiles(self._mode, self._area(), self._divider)

    def _tile_at(self, position: QPointF) -> Tile:
        shown = self._tiles()
        return next((t for t in shown if t.region.contains(position)), shown[0])

    def _view_in(self, tile: Tile) -> Viewport:
        """Return the viewport of a tile's picture, which follows a device where it moves."""
        if self._shift is None or tile.kind is PictureKind.ENHANCED:
            return self._view
        x, y = self._view.center_x + self._shift[0], self._view.center_y + self._shift[1]
        return replace(self._view, center_x=x, center_y=y, whole_pixels=False)

    def _to_image(self, position: QPointF) -> tuple[float, float]:
        """Return the image point (x, y) at a position on the screen."""
        tile = self._tile_at(position)
        return self._view_in(tile).to_image(tile.pane, position)

    def _half_pixel(self) -> QPointF:
        """From the corner of a screen pixel, which Qt reports, to its middle, which is meant."""
        half = 0.5 / self.devicePixelRatioF()
        return QPointF(half, half)

    def _inside(self, x: float, y: float) -> bool:
        if self._pictures is None:
            return False
        rows, columns = self._pictures.shape
        return -0.5 <= x < columns - 0.5 and -0.5 <= y < rows - 0.5

    def _picture_rect(self, tile: Tile) -> QRectF:
        """Return where the whole picture lies on the screen."""
        rows, columns = self._pictures.shape if self._pictures is not None else (0, 0)
        return self._view_in(tile).transform(tile.pane).mapRect(QRectF(-0.5, -0.5, columns, rows))

    def _within(self, x: float, y: float) -> tuple[float, float]:
        if self._pictures is None:
            return x, y
        rows, columns = self._pictures.shape
        return min(max(x, 0.0), columns - 1.0), min(max(y, 0.0), rows - 1.0)

    def _fit_again(self) -> None:
        if self._fitted and self._pictures is not None and not self._area().isEmpty():
            rows, columns = self._pictures.shape
            pane = self._tiles()[0].pane
            self._look(self._view.fitted(columns, rows, pane))

    def _look(self, view: Viewport) -> None:
        zoomed = view.zoom != self._view.zoom
        self._view = replace(view, pixel_ratio=self.devicePixelRatioF())
        if zoomed:
            self.zoom_changed.emit(self.zoom_percent)
        self.place_changed.emit()

    def _zoom_about(self, tile: Tile, position: QPointF, zoom: float) -> None:
        if self._pictures is None:
            return
        rows, columns = self._pictures.shape
        self._fitted = False
        zoomed = self._view.zoomed(tile.pane, position, zoom)
        self._look(zoomed.moved(0.0, 0.0, columns, rows))
        self._refresh()

    def _picture(self, kind: PictureKind) -> tuple[NDArray[np.uint8], bool] | None:
        """Return what shows for a kind, and whether the original stands in for it."""
        if self._pictures is None:
            return None
        picture = self._pictures.of(kind)
        return (self._pictures.original, True) if picture is None else (picture, False)

    def _refresh(self) -> None:
        """Bring the pictures to their tiles."""
        smooth = self._view.zoom * self.devicePixelRatioF() <= CRISP_ABOVE_ZOOM
        self.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        shown = self._tiles()
        for index, item in enumerate(self._picture_tiles):
            found = self._picture(shown[index].kind) if index < len(shown) else None
            if found is None:
                item.setVisible(False)
            else:
                view = self._view_in(shown[index])
                item.show_picture(found[0], shown[index], view, self.devicePixelRatioF())
        self.viewport().update()

    # Drawing over the pictures

    def drawForeground(self, painter: QPainter, rect: QRectF | QRect) -> None:
        """Draw tracks and writing; scene and screen coordinates are the same here."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        font = picture_font(self.font(), area)
        blocks: tuple[CornerBlock, ...] = ()
        if self._pictures is not None:
            if self._corners_visible:
                blocks = layout_corners(self._corners, area, font)
            pills = self._pills(font, blocks)
            for pill in pills:
                paint_pill(painter, pill, font)
            avoid = [*(block.rect for block in blocks), *(pill.rect for pill in pills)]
            self._draw_panes(painter, font, avoid)
            paint_corners(painter, blocks)
            if self._lock_reason and not self._for_export:
                paint_lock_frame(painter, area)
            if self._scale_bar is not None:
                mm_per_px, text = self._scale_bar
                pane = self._tiles()[-1].pane
                paint_scale_bar(painter, pane, mm_per_px, self._view.zoom, text, font, blocks)
            if self._pictures.scale is not None:
                paint_color_scale(painter, area, self._pictures.scale, font)
            self._draw_loupe(painter, font)
        if self._message is not None:
            paint_message(painter, area, self._message, font)

    def _draw_panes(self, painter: QPainter, font: QFont, avoid: Sequence[QRectF]) -> None:
        """Draw what lies on the pictures: once in each pane, also where a wipe divides it."""
        shown = self._tiles()
        for tile in shown[:1] if self._mode is ViewMode.WIPE else shown:
            pane = tile.pane
            painter.save()
            painter.setClipRect(pane, Qt.ClipOperation.IntersectClip)
            place = partial(self._view_in(tile).to_screen, pane)
            if self._overlay_visible:
                unit = self._unit()
                paint_marks(painter, self._marks_now(), place, pane, avoid, unit, font)
                if self._pointer is not None and not self._for_export:
                    paint_pointer(painter, self._pointer, place, unit)
                if tile.kind is not PictureKind.ENHANCED:  # in which the device lies elsewhere
                    paint_tracks(painter, self._tracks_now(), place, pane, avoid, unit, font)
            if self._mode in BESIDE_EACH_OTHER and self._mouse and not self._for_export:
                point = self._to_image(self._mouse)
                if self._inside(*point):
                    paint_cross_hair(painter, self._picture_rect(tile) & pane, place(*point))
            painter.restore()
        if self._mode is ViewMode.WIPE:
            x = shown[0].region.right()
            mouse = None if self._divider_locked or self._for_export else self._mouse
            paint_divider(painter, self._area(), x, self._divider_locked, mouse)

    def _pills(self, font: QFont, blocks: tuple[CornerBlock, ...]) -> list[Pill]:
        """Lay the pills out on one height, clear of the corners; the lock stands below."""
        found = [(tile, self._picture(tile.kind)) for tile in self._tiles()]
        shown = [(tile, picture[1]) for tile, picture in found if picture is not None]
        pills = name_pills(shown, self._names, self._mode, font)
        lines = tuple((block.corner, len(block.lines)) for block in blocks)
        layout = (self._mode, self._area().size(), lines)
        if layout != self._pills_layout:
            self._pills_layout, self._pills_top = layout, 0.0
        # never up again while only the texts change: the pills do not jump from frame to frame
        self._pills_top = max(self._pills_top, top_clear_of(pills, blocks))
        for pill in pills:
            pill.rect.moveTop(self._pills_top)
        if self._lock_reason and not self._for_export:
            lock = lock_pill(self._lock_reason, self._area(), font)
            if pills:
                lock.rect.moveTop(self._pills_top + lock.rect.height() * 1.2)
            lock.rect.moveTop(top_clear_of([lock], blocks))
            pills.append(lock)
        return pills

    def _draw_loupe(self, painter: QPainter, font: QFont) -> None:
        place = self._loupe_place()
        if place is None or self._for_export:
            return
        tile, at = place
        found = self._picture(tile.kind)
        view = self._view_in(tile)
        point = view.to_image(tile.pane, at)
        if found is not None and self._inside(*point):
            paint_loupe(painter, self._area(), found[0], point, at, view, font)

    def _loupe_place(self) -> tuple[Tile, QPointF] | None:
        """Return what the loupe magnifies, and where; None where there is no loupe."""
        return None

    def _marks_now(self) -> tuple[MarkOverlay, ...]:
        """Return the marks as they are drawn."""
        return self._marks

    def _tracks_now(self) -> tuple[TrackOverlay, ...]:
        """Return the tracks as they are drawn."""
        return self._tracks

    def _unit(self) -> float:
        """Return how large marks are drawn; 1 in a small view, more on a large monitor."""
        return max(1.0, picture_font(self.font(), self._area()).pixelSize() / 13.0)

    def close(self) -> bool:
        """Hide the view; pyqtgraph would tear it down for good."""
        return bool(QGraphicsView.close(self))

    def _resized(self) -> None:
        """Keep a fitted picture fitted, any other one at its middle."""
        self._fit_again()
        self._refresh()
