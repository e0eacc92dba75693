"""What stands in the corners of the picture, as on a cath-lab monitor."""

from __future__ import annotations

from gettext import gettext as tr

from app.runs.run import Lut, Run, Spacing, Window


def patient_lines(run: Run) -> tuple[str, ...]:
    """Return name, id and birth date; nothing where the file is anonymous."""
    patient = run.patient
    sex = {"M": tr("male"), "F": tr("female"), "O": tr("other sex")}.get(patient.sex, "")
    born = tr("born {date}").format(date=patient.birth_date) if patient.birth_date else ""
    about = ", ".join(part for part in (born, sex) if part)
    number = tr("ID {number}").format(number=patient.id) if patient.id else ""
    return tuple(line for line in (person_name(patient.name), number, about) if line)


def person_name(dicom_name: str) -> str:
    """Return a name as people write it (PS3.5 6.2.1: family^given^middle^prefix^suffix).

    >>> person_name("Doe^Jane^^Dr.")
    'Doe, Jane, Dr.'
    """
    parts = [" ".join(part.split()) for part in dicom_name.split("=")[0].split("^")]
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
            run.study_description if described else "",
            run.series_description if described else "",
            f"{when} {time}".strip(),
        )
        if line
    )


def _clock_time(dicom_time: str) -> str:
    """Return HH:MM:SS of a DICOM time (HHMMSS.FFFFFF, maybe shorter)."""
    digits = dicom_time.replace(":", "").split(".")[0]
    return ":".join(digits[i : i + 2] for i in range(0, min(len(digits), 6), 2))


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


def spacing_text(spacing: Spacing | None) -> str:
    """Say how long a pixel is and how that is known, or that it is not."""
    if spacing is None:
        return "px only: not calibrated"
    size = f"{spacing.column_mm:.3f} mm/px"
    if not spacing.holds_in_patient:
        return f"{size} at detector: not in the patient"
    return f"{size} {spacing.source}"


def timing_lines(run: Run, frame: int) -> tuple[str, ...]:
    """Return frame, time, and where the time comes from; a still has no time."""
    number = f"Frame {frame + 1} / {run.frame_count}"
    if run.frame_count == 1:
        return (number,)
    return (
        number,
        f"{run.frame_times_ms[frame] / 1000.0:.3f} s",
        f"{run.frame_count * 1000.0 / run.duration_ms:.3g} fps by {run.timing_source}",
    )


def window_text(voi: Window | Lut, *, inverted: bool) -> str:
    """Return center and width, and what else changes the grey scale."""
    if isinstance(voi, Window):
        parts = [f"C {voi.center:.4g} W {voi.width:.4g}"]
    else:
        parts = [voi.explanation or "VOI LUT"]
    if inverted:
        parts.append("inverted")
    return "  ".join(parts)


def mask_text(frames: tuple[int, ...], shift_px: tuple[float, float]) -> str:
    """Return what is subtracted: the mask's frames, numbered from 1, and how far it is moved."""
    numbers = ", ".join(str(frame + 1) for frame in frames)
    parts = [f"DSA, mask {numbers}"]
    if shift_px != (0.0, 0.0):
        parts.append("moved {:+g}, {:+g} px".format(*shift_px))
    return " ".join(parts)
