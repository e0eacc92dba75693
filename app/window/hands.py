"""What commands work on: the session, and the parts of the window that draw it."""

from __future__ import annotations

from dataclasses import dataclass

from app.session.session import Session
from app.window.dialogs import Dialogs
from app.window.exporting import Exporting
from app.window.frame import WindowFrame
from app.window.importing import Importing
from app.window.key_image_views import KeyImageViews
from app.window.mark_views import MarkViews
from app.window.picture import Picture
from app.window.run_list_view import RunListView
from widgets.picture.cine_view import CineView


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything that a command may use."""

    session: Session
    view: CineView
    picture: Picture
    frame: WindowFrame
    runs: RunListView
    exporting: Exporting
    importing: Importing
    marks: MarkViews
    key_images: KeyImageViews
    dialogs: Dialogs
