"""Icons of the Material Design set, in the theme's colours."""

from __future__ import annotations

import qtawesome
from PySide6.QtGui import QIcon

from widgets.theme import Theme


def icon(name: str, theme: Theme, color: str = "") -> QIcon:
    """Return an icon that greys out when disabled and turns to the accent when on.

    Parameters
    ----------
    name : str
        Name in the Material Design Icons set, such as "play".
    theme : Theme
    color : str
        ``#rrggbb`` in place of the theme's text colour, for an icon that warns.

    Returns
    -------
    QIcon

    Raises
    ------
    Exception
        If the set has no icon of this name (raised by qtawesome).
    """
    return qtawesome.icon(
        f"mdi6.{name}",
        color=color or theme.text,
        color_disabled=theme.disabled,
        color_on=theme.accent,
        color_on_active=theme.accent_hover,
    )
