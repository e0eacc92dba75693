"""What stands in the corners of the picture, as on a cath-lab monitor."""

from __future__ import annotations

import re
from gettext import gettext as tr

from app.runs.run import Lut, Run, Window

_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)?(?:\.\d*)?\s*$", re.ASCII)


def patient_lines(run: Run) -> tuple[str, ...]:
    """Return name, id and birth date; nothing where the file is anonymous."""
    patient = run.patient
    sex = {"M": tr("male"), "F": tr("female"), "O": tr("other sex")}.get(patient.sex, "")
    born = ""
    if patient.birth_date is not None:
        born = tr("born {date}").format(date=patient.birth_date.isoformat())
    about = ", ".join(part for part in (born, sex) if part)
    number = tr("ID {number}").format(number=patient.id) if patient.id else ""
    return tuple(line for line in (person_name(patient.name), number, about) if line)


def person_name(dicom_name: str) -> str:
    """Return a name as people write it (PS3.5 6.2.1: family^given^middle^prefix^suffix).

    Of its spellings (alphabetic, ideographic, phonetic) the first that is given.

    >>> person_name("Doe^Jane^^Dr.")
    'Doe, Jane, Dr.'
    """
    spelling = next((s for s in dicom_name.split("=") if s.strip(" ^")), "")
    parts = [" ".join(part.split()) for part in spelling.split("^")]
    family, given, middle, prefix, suffix, *_ = (*parts, "", "", "", "", "")
    names = " ".join(part for part in (given, middle) if part)
    return ", ".join(part for part in (family, names, prefix, suffix) if part)


def study_lines(run: Run, *, described: bool = True) -> tuple[str, ...]:
    """Return what was examined and when; descriptions only where ``described``.

    They are typed by hand, and names stand in them.
    """
    when = run.study_date.isoformat() if run.study_date else ""
    time = _clock_time(run.acquisition_time)
    return tuple(
        line
        for line in (
            _described(tr("Study {number}"), run.study_description) if described else "",
            _described(tr("Series {number}"), run.series_description) if described else "",
            f"{when} {time}".strip(),
        )
        if line
    )


def _described(numbered: str, description: str) -> str:
    """Return a description; a bare number says what it numbers."""
    return numbered.format(number=description) if description.isdecimal() else description


def _clock_time(dicom_time: str) -> str:
    """Return HH:MM or HH:MM:SS of a DICOM time (HHMMSS.FFFFFF, maybe shorter), "" of others."""
    found = _TIME.match(dicom_time.replace(":", ""))
    return ":".join(part for part in found.groups() if part) if found else ""


def angle_text(primary_deg: float | None, secondary_deg: float | None) -> str:
    """Return the projection as it is spoken: LAO/RAO, then CRAN/CAUD (PS3.3 C.8.7.5).

    >>> angle_text(-32.0, 2.0)
    'RAO 32° CRAN 2°'
    """
    parts = []
    if primary_deg is not None:
        parts.append(f"{'LAO' if primary_deg >= 0 else 'RAO'} {abs(primary_deg):.0f}°")
    if secondary_deg is not None:
        parts.append(f"{'CRAN' if secondary_deg >= 0 else 'CAUD'} {abs(secondary_deg):.0f}°")
    return " ".join(parts)


def angles_on(run: Run, frame: int) -> str:
    """Return the projection of one frame, "" where the file does not tell."""
    primary, secondary = run.primary_angles_deg, run.secondary_angles_deg
    return angle_text(
        None if primary is None else float(primary[frame]),
        None if secondary is None else float(secondary[frame]),
    )


def timing_lines(run: Run, frame: int) -> tuple[str, ...]:
    """Return frame, time, and where the time comes from; a still has no time."""
    number = tr("Frame {number} / {count}").format(number=frame + 1, count=run.frame_count)
    if run.frame_count == 1:
        return (number,)
    return (
        number,
        f"{run.frame_times_ms[frame] / 1000.0:.3f} s",
        tr("{rate} fps by {source}").format(
            rate=f"{run.frame_count * 1000.0 / run.duration_ms:.3g}",
            source=tr(run.timing_source.value),
        ),
    )


def window_text(voi: Window | Lut, *, inverted: bool) -> str:
    """Return center and width, and what else changes the grey scale."""
    if isinstance(voi, Window):
        parts = [f"C {voi.center:.4g} W {voi.width:.4g}"]
    else:
        parts = [voi.explanation or tr("VOI LUT")]
    if inverted:
        parts.append(tr("inverted"))
    return "  ".join(parts)


def mask_text(frames: tuple[int, ...], shift_px: tuple[float, float]) -> str:
    """Return what is subtracted: the mask's frames, numbered from 1, and how far it is moved."""
    if len(frames) > 2 and frames == tuple(range(frames[0], frames[-1] + 1)):
        numbers = tr("{first} to {last}").format(first=frames[0] + 1, last=frames[-1] + 1)
    else:
        numbers = ", ".join(str(frame + 1) for frame in frames)
    parts = [tr("DSA, mask {frames}").format(frames=numbers)]
    if shift_px != (0.0, 0.0):
        right, down = (f"{shift:+g}" for shift in shift_px)
        parts.append(tr("moved {right}, {down} px").format(right=right, down=down))
    return " ".join(parts)
