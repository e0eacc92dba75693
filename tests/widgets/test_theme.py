"""The themes can be read, and fill the style sheet that the program ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QWidget

from widgets.icons import icon
from widgets.theme import DARK, LIGHT, Theme, palette, style_sheet

RESOURCES = Path(__file__).parents[2] / "resources"
TEMPLATE = RESOURCES / "styles" / "fluorotrace.qss"
ICONS = RESOURCES / "icons"


def luminance(color: str) -> float:
    def linear(channel: float) -> float:
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    rgb = QColor(color)
    return (
        0.2126 * linear(rgb.redF()) + 0.7152 * linear(rgb.greenF()) + 0.0722 * linear(rgb.blueF())
    )


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_text_meets_wcag_aa_on_every_surface(theme: Theme) -> None:
    for surface in (theme.window, theme.panel, theme.raised, theme.hover, theme.selection):
        assert contrast(theme.text, surface) >= 7
    for surface in (theme.window, theme.panel, theme.raised):
        for text in (theme.muted, theme.accent, theme.success, theme.warning, theme.error):
            assert contrast(text, surface) >= 4.5
    assert contrast(theme.accent_text, theme.accent) >= 4.5
    assert contrast(theme.accent_text, theme.accent_hover) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda t: t.name)
def test_shipped_style_sheet_is_filled_and_parsed(qtbot, qtlog, theme: Theme) -> None:
    sheet = style_sheet(theme, TEMPLATE.read_text("utf-8"), ICONS.as_posix())
    assert theme.accent in sheet
    images = re.findall(r'url\("(.+?)"\)', sheet)
    assert images
    assert all(Path(image).is_file() for image in images)
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.setStyleSheet(sheet)
    widget.ensurePolished()
    assert [record.message for record in qtlog.records] == []


def test_template_with_an_unknown_colour_is_refused() -> None:
    with pytest.raises(KeyError):
        style_sheet(DARK, "QWidget { color: $purple; }", "")


def test_program_icon_is_drawn(qtbot) -> None:
    drawn = QIcon(str(ICONS / "fluorotrace.svg")).pixmap(64, 64).toImage()
    assert drawn.pixelColor(38, 36).lightness() > 200  # the tip in its cross-hair
    assert drawn.pixelColor(0, 0).alpha() == 0


def test_palette_and_icons_follow_the_theme(qtbot) -> None:
    assert palette(LIGHT).color(QPalette.ColorRole.Window) == QColor(LIGHT.window)
    dark, light = (icon("play", theme).pixmap(32, 32).toImage() for theme in (DARK, LIGHT))
    assert dark != light
