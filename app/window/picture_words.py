"""What is written on the picture about how it is shown: its names, and notes in a corner."""

from __future__ import annotations

from dataclasses import dataclass
from gettext import gettext as tr
from gettext import ngettext

from app.display.settings import Peak
from app.runs import words
from app.session.enhanced import Enhanced
from app.session.look import Look
from app.session.open_run import OpenRun
from inference.subtraction import Registration
from widgets.picture.compare import PictureNames


@dataclass(frozen=True, slots=True)
class UnderWay:
    """How much, 0 to 1, is done of what is computed for the picture; None where nothing is."""

    subtraction: float | None = None
    enhancing: float | None = None


def picture_names(
    opened: OpenRun, look: Look, frame: int, under_way: UnderWay, *, nothing_to_remove: bool
) -> PictureNames:
    """Name the pictures of a frame.

    Parameters
    ----------
    nothing_to_remove : bool
        The run's noise is too weak to be seen.
    """
    grey, enhancing = look.grey, under_way.enhancing
    denoised = tr("Denoised {percent}%").format(percent=round(look.strength * 100))
    if nothing_to_remove:
        denoised = tr("Nothing to remove")
    original = tr("Original")
    if grey.subtracted:
        original = _subtracted_name(opened, look, frame, under_way.subtraction)
        both = tr("{subtracted}, {what}").format(subtracted=original, what=denoised)
        peak = opened.display.peak(grey) is not None
        denoised = original if peak else both  # the peak is of the frames as they are
    return PictureNames(
        original=original,
        denoised=denoised,
        difference=tr("Difference: original minus denoised"),
        enhanced=_enhanced_name(opened.enhanced, enhancing),
        waiting=tr("Denoising…")
        if under_way.enhancing is None
        else _enhancing(under_way.enhancing),
    )


def notes(opened: OpenRun, look: Look, frame: int) -> list[str]:
    """Say what else was done to the picture of a frame, a line each."""
    grey, told = look.grey, []
    if not look.tracks and opened.labels.tracks:
        told.append(tr("Tracks hidden"))
    told += orientation_notes(look)
    steady = look.stabilised
    if steady is not None and steady.track_id in opened.labels:
        name = opened.labels.track(steady.track_id).name
        told.append(tr("Stabilised on {name}").format(name=name))
    if look.enhanced and opened.enhanced is not None:
        ids = opened.enhanced.way.track_ids
        names = [opened.labels.track(i).name for i in ids if i in opened.labels]
        told.append(tr("Enhanced between {names}").format(names=tr(" and ").join(names)))
    if grey.edges:
        told.append(tr("Edges {percent}%").format(percent=round(100 * grey.edges)))
    if grey.subtracted:
        mask_frames, shift = opened.display.mask(grey, frame)
        registered = opened.display.is_registered(grey, frame)
        told.append(words.mask_text(mask_frames, (0.0, 0.0) if registered else shift))
        if grey.landmarks:
            percent = round(100 * grey.landmarks)
            told.append(tr("Unsubtracted {percent}%").format(percent=percent))
    return told


def orientation_notes(look: Look) -> list[str]:
    """Say how the picture differs from the way it is stored."""
    told = []
    if look.turns:
        told.append(tr("Turned {degrees}°").format(degrees=90 * look.turns))
    if look.mirrored:
        told.append(tr("Mirrored"))
    return told


def _subtracted_name(opened: OpenRun, look: Look, frame: int, share: float | None) -> str:
    """Say what is shown, and what is still being computed for it."""
    grey, percent = look.grey, round(100 * (share or 0.0))
    if (peak := opened.display.peak(grey)) is not None:
        if grey.peak is Peak.OPACIFICATION:
            return tr("Peak opacification")
        came = peak.span_ms is not None
        return tr("Time to peak") if came else tr("Time to peak: no contrast came")
    if grey.peak is not Peak.OFF and share is not None:
        return tr("Subtracted, contrast over the run {percent}%").format(percent=percent)
    if grey.registration is Registration.OFF:
        return tr("Subtracted")
    if opened.display.is_registered(grey, frame):
        return tr("Subtracted, registered")
    if share is not None:
        return tr("Subtracted, registering {percent}%").format(percent=percent)
    return tr("Subtracted, not registered")


def _enhancing(share: float) -> str:
    return tr("Enhancing {percent}%").format(percent=round(100 * share))


def _enhanced_name(enhanced: Enhanced | None, share: float | None) -> str:
    if share is not None:
        return _enhancing(share)
    if enhanced is None:
        return ""
    name = ngettext("Enhanced, {count} frame", "Enhanced, {count} frames", enhanced.frames)
    if enhanced.stale:
        name = ngettext(
            "Enhanced, {count} frame, out of date",
            "Enhanced, {count} frames, out of date",
            enhanced.frames,
        )
    return name.format(count=enhanced.frames)
