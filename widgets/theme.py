"""Colours of the window, dark and light, and how they fill the style sheet's template."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from string import Template

from PySide6.QtGui import QColor, QPalette


@dataclass(frozen=True, slots=True)
class Theme:
    """Named colours (``#rrggbb``); the names are the placeholders of the style sheet's template.

    Attributes
    ----------
    name : str
        "dark" or "light".
    window, panel, raised, hover, border : str
        Surfaces from back to front, what lies under the mouse, and the lines between them.
    text, muted, disabled : str
        Text that is read, text that explains, text that does not answer.
    accent, accent_hover, accent_text : str
        What is chosen or on, the same under the mouse, and the text upon it.
    selection : str
        Quiet background of a selected row; ``text`` is read on it.
    success, warning, error : str
        States, readable as text on ``window`` and ``panel``.
    """

    name: str
    window: str
    panel: str
    raised: str
    hover: str
    border: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    accent_text: str
    selection: str
    success: str
    warning: str
    error: str


DARK = Theme(
    name="dark",
    window="#101317",
    panel="#161a1f",
    raised="#20262d",
    hover="#2a323b",
    border="#2b323b",
    text="#e6eaee",
    muted="#9aa6b2",
    disabled="#5b6672",
    accent="#45b8cf",
    accent_hover="#6accdf",
    accent_text="#04181d",
    selection="#16404a",
    success="#62c58a",
    warning="#f0b44c",
    error="#ff8078",
)

LIGHT = Theme(
    name="light",
    window="#eef1f4",
    panel="#fafbfc",
    raised="#ffffff",
    hover="#e0e6ec",
    border="#c6ced7",
    text="#171d23",
    muted="#525e6b",
    disabled="#98a3ae",
    accent="#0a6c82",
    accent_hover="#085567",
    accent_text="#ffffff",
    selection="#c9e6ec",
    success="#17703f",
    warning="#8a5600",
    error="#b3261e",
)

PICTURE_SURROUND = "#040506"
"""Around the X-ray picture in either theme: what is drawn there is always as in the dark one."""

THEMES = {theme.name: theme for theme in (DARK, LIGHT)}


def style_sheet(theme: Theme, template: str, icons: str) -> str:
    """Fill ``$name`` placeholders of a style sheet with the theme's colours.

    Parameters
    ----------
    theme : Theme
    template : str
        Text of resources/styles/fluorotrace.qss.
    icons : str
        Path of the folder resources/icons, with forward slashes.

    Returns
    -------
    str
        For ``QApplication.setStyleSheet``.

    Raises
    ------
    KeyError
        If the template names a colour that the theme does not have.
    """
    return Template(template).substitute(asdict(theme), icons=icons)


def palette(theme: Theme) -> QPalette:
    """Return the palette for what the style sheet leaves to the Fusion style (check marks, arrows).

    Parameters
    ----------
    theme : Theme

    Returns
    -------
    QPalette
        For ``QApplication.setPalette``.
    """
    roles = QPalette.ColorRole
    colors = {
        roles.Window: theme.window,
        roles.WindowText: theme.text,
        roles.Base: theme.panel,
        roles.AlternateBase: theme.window,
        roles.Text: theme.text,
        roles.PlaceholderText: theme.muted,
        roles.Button: theme.raised,
        roles.ButtonText: theme.text,
        roles.BrightText: theme.error,
        roles.ToolTipBase: theme.raised,
        roles.ToolTipText: theme.text,
        roles.Highlight: theme.accent,
        roles.HighlightedText: theme.accent_text,
        roles.Accent: theme.accent,
        roles.Link: theme.accent,
        roles.LinkVisited: theme.accent,
        roles.Light: theme.hover,
        roles.Midlight: theme.hover,
        roles.Mid: theme.border,
        roles.Dark: theme.border,
        roles.Shadow: PICTURE_SURROUND,
    }
    result = QPalette()
    for role, color in colors.items():
        result.setColor(role, QColor(color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.disabled))
    return result
