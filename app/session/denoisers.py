"""Denoisers adapted to a scanner: made from one noisy run, kept in the user's data folder.

Each is three files of one name: the weights (``.safetensors`` for GPUs, ``.onnx`` for CPUs) and a
card (``.json``) that tells where they come from. The card is written last: without it there is no
denoiser.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import date
from gettext import gettext as tr
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from app.display.pipeline import DisplayPipeline
from app.errors import UserError
from app.outputs import whole_file
from app.plain_json import json_text
from app.runs.run import Patient, Run

if TYPE_CHECKING:
    from inference.denoising.training.adaptation import AdaptedWeights

log = logging.getLogger(__name__)

MINUTES = 3.0
"""Time to learn; before and after it, some seconds go into reading, scoring and saving."""
LONGEST_NAME = 60
WEIGHTS = (".safetensors", ".onnx")
FILES = (".json", *WEIGHTS)


@dataclass(frozen=True, slots=True)
class AdaptedDenoiser:
    """The card of an adapted denoiser; it never names a patient.

    Attributes
    ----------
    name : str
        What the user calls it, and its files.
    manufacturer, scanner_model, series : str
        Of the run that it learned from; "" where that did not say.
    made_on : str
        ISO date.
    error_before, error_after : float
        Squared error left on that run by the shipped denoiser and by this one, as a share of the
        noise's power.
    """

    name: str
    manufacturer: str
    scanner_model: str
    series: str
    made_on: str
    error_before: float
    error_after: float

    @property
    def weights(self) -> str:
        """What `inference.denoising.load_denoiser` takes for its name."""
        return str(denoisers_folder() / self.name)

    @property
    def origin(self) -> str:
        """What it learned from, as one line."""
        scanner = " ".join(part for part in (self.manufacturer, self.scanner_model) if part)
        return ", ".join(part for part in (scanner, self.series, self.made_on) if part)

    @property
    def scores(self) -> str:
        """The scores before and after, as one plain sentence."""
        before, after = (f"{max(e, 0.0):.1%}" for e in (self.error_before, self.error_after))
        if self.error_after < self.error_before:
            text = tr(
                "Error left on this run: {before} of the noise before, {after} after adapting."
            )
        else:
            text = tr(
                "Adapting did not help: {before} of the noise is left before, {after} after it."
            )
        return text.format(before=before, after=after)


def denoisers_folder() -> Path:
    """Return where adapted denoisers lie."""
    return user_data_path("fluorotrace") / "denoisers"


def saved_denoisers() -> list[AdaptedDenoiser]:
    """Return the adapted denoisers by name; those whose card is damaged are left out."""
    found = []
    for path in sorted(denoisers_folder().glob("*.json"), key=lambda path: path.stem):
        try:
            card = json.loads(path.read_text("utf-8"))
            known = {field.name: card[field.name] for field in fields(AdaptedDenoiser)}
            found.append(AdaptedDenoiser(**(known | {"name": path.stem})))
        except (OSError, ValueError, KeyError, TypeError):
            log.warning("the card of an adapted denoiser is unreadable", exc_info=True)
    return found


def find_denoiser(name: str) -> AdaptedDenoiser:
    """Return an adapted denoiser.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    saved = {denoiser.name: denoiser for denoiser in saved_denoisers()}
    if name not in saved:
        if not saved:
            raise UserError(
                tr("There is no denoiser called {name}; none is adapted yet.").format(name=name)
            )
        raise UserError(
            tr("There is no denoiser called {name}; choose one of: {known}.").format(
                name=name, known=", ".join(saved)
            )
        )
    return saved[name]


def delete_denoiser(name: str) -> None:
    """Delete the files of an adapted denoiser, the card first."""
    for suffix in FILES:
        (denoisers_folder() / f"{name}{suffix}").unlink(missing_ok=True)


def free_name(run: Run) -> str:
    """Return a name for a denoiser adapted to the scanner of ``run``."""
    scanner = run.scanner_model or run.manufacturer or "Adapted"
    plain = " ".join(re.sub(r"[^\w .+-]", " ", scanner).split())[: LONGEST_NAME // 2].strip(" .")
    name = f"{plain or 'Adapted'} {date.today().isoformat()}"
    taken, count = {denoiser.name for denoiser in saved_denoisers()}, 1
    while (numbered := f"{name} ({count})" if count > 1 else name) in taken:
        count += 1
    return numbered


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a new denoiser.

    Raises
    ------
    UserError
        With what to do.
    """
    if not re.fullmatch(r"[\w(][\w .()+-]*", name) or len(name) > LONGEST_NAME:
        raise UserError(tr("Name the denoiser with letters, digits, spaces and . + - ( ) only."))
    if (denoisers_folder() / f"{name}.json").exists():
        raise UserError(
            tr("There is a denoiser called {name} already; choose another name.").format(name=name)
        )


def adapt_to_run(
    run: Run,
    name: str,
    on_progress: Callable[[float], None],
    minutes: float = MINUTES,
    should_stop: Callable[[], bool] = lambda: False,
) -> AdaptedDenoiser | None:
    """Adapt the shipped denoiser to a run and save it; takes ``minutes`` and some seconds.

    Parameters
    ----------
    on_progress : callable
        Receives the share done, 0 to 1.
    should_stop : callable
        Asked again and again; then nothing is saved, and None returned.

    Raises
    ------
    UserError
        If nothing can be learned from this run, for instance because it is clean.
    OSError
        If the weights cannot be saved.
    """
    from inference.denoising.training.adaptation import AdaptationError, adapt

    try:
        learned = adapt(DisplayPipeline(run).sequence(), should_stop, on_progress, minutes)
    except AdaptationError as error:
        raise UserError(str(error)) from error
    if learned is None or should_stop():
        return None
    made = AdaptedDenoiser(
        name=name,
        manufacturer=run.manufacturer,
        scanner_model=run.scanner_model,
        series=_without_patient(run.series_description, run.patient),
        made_on=date.today().isoformat(),
        error_before=round(learned.error_before, 4),
        error_after=round(learned.error_after, 4),
    )
    _save_weights(learned, Path(made.weights))
    with whole_file(denoisers_folder() / f"{name}.json") as card:
        card.write_text(json_text(asdict(made), indent=1), "utf-8")
    return made


def _save_weights(learned: AdaptedWeights, path: Path) -> None:
    """Put both files of the weights in their place, or neither."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".") as folder:
        learned.save(Path(folder) / path.name)
        for suffix in WEIGHTS:
            with whole_file(path.with_name(path.name + suffix)) as draft:
                shutil.copyfile(Path(folder) / (path.name + suffix), draft)


def _without_patient(description: str, patient: Patient) -> str:
    """Return what was typed as a description, or "" where it holds the patient's name or id."""
    words = re.split(r"[\s^,=]+", f"{patient.name} {patient.id}".casefold())
    named = any(word in description.casefold() for word in words if len(word) > 2)
    return "" if named else description
