"""What was read of a run, for the command line; what may name the patient stands apart.

Names stand in descriptions and in the names of files and folders as well, so these do too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.measure.scale import scale_of, scale_text
from app.runs.run import Run, Window
from app.runs.words import angles_on


def summary(run: Run) -> dict[str, Any]:
    """Return the facts of a run by name, ready for JSON."""
    gaps = np.diff(run.frame_times_ms)
    return {
        "modality": run.modality,
        "manufacturer": run.manufacturer,
        "scanner_model": run.scanner_model,
        "sop_instance_uid": run.sop_instance_uid,
        "study_date": run.study_date.isoformat() if run.study_date else None,
        "frames": run.frame_count,
        "rows": run.rows,
        "columns": run.columns,
        "bits_stored": run.grey.bits_stored,
        "signed": run.grey.signed,
        "inverted": run.grey.inverted,
        "windows": [_window(window) for window in run.grey.windows],
        "voi_luts": len(run.grey.voi_luts),
        "timing_source": run.timing_source.value,
        "frame_rate_hz": round(1000 / float(np.median(gaps)), 3) if len(gaps) else None,
        "duration_ms": round(run.duration_ms, 3),
        "frame_times_ms": [round(float(time), 3) for time in run.frame_times_ms],
        "angles": angles_on(run, 0),
        "primary_angles_deg": _numbers(run.primary_angles_deg),
        "secondary_angles_deg": _numbers(run.secondary_angles_deg),
        "spacing": scale_text(run, scale_of(run)),
        "spacing_mm": None if run.spacing is None else [run.spacing.row_mm, run.spacing.column_mm],
        "spacing_source": None if run.spacing is None else run.spacing.source.value,
        "shutter": _shutter(run),
        "ecg": _ecg(run),
        "r_wave_times_ms": [] if run.ecg is None else list(run.ecg.r_wave_times_ms),
        "mask_subtraction": [
            f"{mask.operation}, mask frames {[frame + 1 for frame in mask.mask_frames]}"
            for mask in run.mask_subtraction
        ],
        "notes": [_without_names(note, run) for note in run.notes],
    }


def patient_facts(run: Run) -> dict[str, Any]:
    """Return what may name the patient, by name, ready for JSON."""
    patient = run.patient
    return {
        "path": str(run.path),
        "patient_name": patient.name,
        "patient_id": patient.id,
        "patient_birth_date": patient.birth_date.isoformat() if patient.birth_date else None,
        "patient_sex": patient.sex,
        "study_description": run.study_description,
        "series_description": run.series_description,
    }


def _without_names(note: str, run: Run) -> str:
    """Return a note with "the run" for the names of its files."""
    for name in (str(run.path), run.path.name, run.path.stem):
        note = note.replace(name, "the run") if name else note
    return note


def _window(window: Window) -> str:
    return f"{window.center:g} / {window.width:g} {window.function.value}"


def _numbers(values: Any) -> list[float] | None:
    return None if values is None else [round(float(value), 3) for value in values]


def _shutter(run: Run) -> list[str]:
    shutter = run.shutter
    if shutter is None:
        return []
    shapes = {
        "rectangular": shutter.rectangle,
        "circular": shutter.circle,
        "polygonal": shutter.polygon,
    }
    return [name for name, shape in shapes.items() if shape]


def _ecg(run: Run) -> str | None:
    ecg = run.ecg
    if ecg is None:
        return None
    return f"{ecg.label}, {len(ecg.samples)} samples at {ecg.sampling_hz:g} Hz"
