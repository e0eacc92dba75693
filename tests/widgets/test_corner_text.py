"""The corners' text fits, whatever the size of the view."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont

from widgets.picture.corner_text import Corner, clear_of, layout_corners, picture_font, scale_bar_mm

FULL = {
    Corner.TOP_LEFT: ("VERY^LONG^PATIENT^NAME^OF^THE^THIRD", "ID 1234567890", "1952-03-04  F"),
    Corner.TOP_RIGHT: ("LAO 30°  CAUD 12°", "Left coronary artery, second injection", "2019-04-02"),
    Corner.BOTTOM_LEFT: ("Frame 111 / 1600", "10.733 s  15.0 fps", "Speed 0.5x"),
    Corner.BOTTOM_RIGHT: ("W 1960  C 1280", "Zoom 168%", "0.308 mm/px at detector"),
}


@pytest.mark.parametrize(
    ("width", "height"), [(2560, 1440), (1024, 768), (640, 480), (320, 240), (180, 160)]
)
def test_no_block_touches_another_or_leaves_the_view(qtbot, width, height) -> None:
    area = QRectF(0, 0, width, height)
    blocks = layout_corners(FULL, area, picture_font(QFont(), area))
    assert {block.corner for block in blocks} == set(FULL)
    for index, block in enumerate(blocks):
        assert area.contains(block.rect)
        assert not any(block.rect.intersects(other.rect) for other in blocks[:index])


def test_text_is_whole_and_readable_at_1024_by_768(qtbot) -> None:
    area = QRectF(0, 0, 1024, 768)
    blocks = layout_corners(FULL, area, picture_font(QFont(), area))
    assert {block.corner: block.lines for block in blocks} == FULL
    assert all(block.font.pixelSize() >= 12 for block in blocks)


def test_empty_corners_take_no_room(qtbot) -> None:
    area = QRectF(0, 0, 640, 480)
    assert layout_corners({Corner.TOP_LEFT: ()}, area, picture_font(QFont(), area)) == ()


def test_what_is_moved_clear_of_text_touches_none_of_it(qtbot) -> None:
    area = QRectF(0, 0, 400, 300)
    blocks = layout_corners(FULL, area, picture_font(QFont(), area))
    chip = clear_of(QRectF(100, 10, 200, 20), blocks, downwards=True)
    assert not any(chip.intersects(block.rect) for block in blocks)


@pytest.mark.parametrize(
    ("mm_per_px", "zoom", "widest_px", "length_mm"),
    [(0.3, 1.0, 180, 50), (0.3, 2.0, 180, 20), (0.3, 8.0, 180, 5), (0.001, 1.0, 180, 0.1)],
)
def test_scale_bar_has_a_round_length(mm_per_px, zoom, widest_px, length_mm) -> None:
    assert scale_bar_mm(mm_per_px, zoom, widest_px) == pytest.approx(length_mm)
