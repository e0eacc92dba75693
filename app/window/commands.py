"""What a command is: its words, its keys, what it needs, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from gettext import gettext as tr

from app.display.settings import Peak
from app.session.look import Comparison
from app.session.stabilising import stabilised_on
from app.session.tools import Mode, Tool
from app.tracks.marks import MarkKind
from app.window.hands import Hands
from inference.subtraction import Registration
from widgets.translation import marked


class Need(Enum):
    """What must be there for a command to be offered."""

    NOTHING = auto()
    RUN = auto()
    CINE = auto()  # a run of more than one frame
    TRACK = auto()
    MEASURE = auto()  # a measure is chosen
    VESSEL = auto()  # a vessel that was measured is chosen
    ITEM = auto()  # a track, or a measure that is chosen
    UNDO = auto()
    REDO = auto()
    PLACES = auto()  # more than one place on the screen


NEED_WORDS = {
    Need.NOTHING: "",
    Need.RUN: marked("Open a run first."),
    Need.CINE: marked("Open a run of several frames first."),
    Need.TRACK: marked(
        "There is no track yet: in Label (R), click the catheter tip on the picture."
    ),
    Need.MEASURE: marked("Choose a measure first: click it on the picture, in review."),
    Need.VESSEL: marked("Choose a vessel first: click it on the picture, in review."),
    Need.ITEM: marked("There is nothing to delete here."),
    Need.UNDO: marked("There is nothing to undo."),
    Need.REDO: marked("There is nothing to redo."),
    Need.PLACES: marked("Show several runs side by side first."),
}
"""What is said where a key asks for a command that cannot be done."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the user can do.

    Attributes
    ----------
    name : str
        By which buttons ask for it.
    text : str
        What it does, as the menu says it; in English, translated where it is shown.
    keys_text : str
        Key sequences with spaces between, the first one shown; "" where only the menu offers it.
    need : Need
    does : callable
    is_on : callable, optional
        For a command that switches something on and off: whether that is on.
    says : callable, optional
        The menu's text while the command can be done, where it changes.
    separated : bool
        A line stands above it in the menu.
    icon : str
        Icon name, or "".
    menu : str
        The menu, and the group on the help page; given by the table.
    """

    name: str
    text: str
    keys_text: str
    need: Need
    does: Callable[[Hands], object]
    is_on: Callable[[Hands], bool] | None = None
    says: Callable[[Hands], str] | None = None
    separated: bool = False
    icon: str = ""
    menu: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key sequences, the first one shown."""
        return tuple(self.keys_text.split())


def fulfilled(hands: Hands) -> set[Need]:
    """Return what is there now of what commands need."""
    there = {Need.NOTHING}
    if hands.session.places.count > 1:
        there.add(Need.PLACES)
    opened = hands.session.opened
    if opened is None:
        return there
    there.add(Need.RUN)
    if opened.run.frame_count > 1:
        there.add(Need.CINE)
    if opened.labels.tracks:
        there |= {Need.TRACK, Need.ITEM}
    if hands.session.measuring.selected is not None:
        there |= {Need.MEASURE, Need.ITEM}
    if hands.session.vessels.chosen is not None:
        there.add(Need.VESSEL)
    if opened.labels.can_undo:
        there.add(Need.UNDO)
    if opened.labels.can_redo:
        there.add(Need.REDO)
    return there


def switch(hands: Hands, field: str) -> None:
    """Switch a field of the look on or off."""
    look = hands.session.look
    look.change(**{field: not getattr(look.now, field)})


def switch_grey(hands: Hands, field: str) -> None:
    """Switch a field of the grey scale's settings on or off."""
    look = hands.session.look
    look.change_grey(**{field: not getattr(look.now.grey, field)})


def register(hands: Hands, way: Registration) -> None:
    """Let the mask follow each frame in a way."""
    hands.session.subtraction.set_registration(way)


def registers(hands: Hands, way: Registration) -> bool:
    """Tell whether the mask follows each frame in a way."""
    grey = hands.session.look.now.grey
    return grey.subtracted and grey.registration is way


def show_peak(hands: Hands, peak: Peak) -> None:
    """Show contrast over the whole run in a way, or frames."""
    hands.session.subtraction.show_peak(peak)


def shows_peak(hands: Hands, peak: Peak) -> bool:
    """Tell whether contrast over the whole run is shown in a way."""
    return hands.session.look.now.grey.subtracted and hands.session.subtraction.shown_peak is peak


def compare(hands: Hands, comparison: Comparison) -> None:
    """Compare original and denoised in one way."""
    hands.session.look.change(comparison=comparison)


def take(hands: Hands, tool: Tool) -> None:
    """Take a tool into the hand."""
    hands.session.tools.take(tool)


def in_hand(hands: Hands, tool: Tool) -> bool:
    """Tell whether a tool is in the hand."""
    tools = hands.session.tools
    return tools.tool is tool and not tools.labelling


def nudge(hands: Hands, right: int, down: int) -> None:
    """Move the chosen measure, else the point of the chosen track, by a pixel as it is seen."""
    session, step = hands.session, hands.view.whole_step(right, down)
    mark = session.measuring.selected
    if mark is None:
        session.labelling.nudge(*step)
    elif mark.kind is MarkKind.VESSEL:
        session.vessels.nudge(mark.id, *step)
    else:
        session.measuring.nudge(*step)


def on_all_frames(hands: Hands) -> bool:
    """Tell whether the chosen measure holds on all frames."""
    mark = hands.session.measuring.selected
    return mark is not None and mark.frame is None


def new_track(hands: Hands) -> None:
    """Add a track, and let the next click place its point."""
    hands.session.tools.set_mode(Mode.LABEL)
    hands.session.labelling.add_track()


def stabilise(hands: Hands) -> None:
    """Let the selected device stand while the frames move, or let the frames stand again."""
    session, track = hands.session, hands.session.labelling.selected
    if session.look.now.stabilised is not None:
        session.look.change(stabilised=None)
        return
    steady = None if track is None else stabilised_on(track, session.playback.frame)
    if steady is None:
        session.said.emit(tr("The chosen track has no point yet: click it in Label (R)."))
    else:
        session.look.change(stabilised=steady)


def delete(hands: Hands) -> None:
    """Delete the chosen measure, else the point on this frame."""
    measuring = hands.session.measuring
    if measuring.selected is not None:
        measuring.delete()
    else:
        hands.session.labelling.delete_point()


def escape(hands: Hands) -> None:
    """Take the last thing back that is under way, one at a time; in the end, stop tracking."""
    tools, measuring = hands.session.tools, hands.session.measuring
    if hands.view.drawing:
        hands.view.cancel_drawing()
    elif hands.frame.full_screen:
        hands.frame.toggle_full_screen()
    elif measuring.selected is not None:
        measuring.select(None)
    elif tools.tool is not Tool.WINDOW:
        tools.take(Tool.WINDOW)
    else:
        hands.session.labelling.cancel_tracking()


def history(hands: Hands, verb: str, way: str) -> str:
    """Say what would be taken back ("undo") or done again ("redo")."""
    opened = hands.session.opened
    what = "" if opened is None else getattr(opened.labels, f"{way}_label")
    return tr("{verb}: {what}").format(verb=tr(verb), what=what) if what else tr(verb)
