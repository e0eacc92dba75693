"""Importing in a window: nothing is taken over before it was shown and said yes to."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialogButtonBox, QLabel, QSpinBox, QWidget

from app.runs.run import Run
from app.session.background import Background
from app.tracks.edits import add_track, new_track, place_point
from app.tracks.formats import FORMATS, label_file
from app.tracks.formats.label_file import make_track
from app.tracks.labels import Labels
from app.tracks.track import TrackPoint
from app.window.importing import Importing

FRAMES = 10


def a_run(path, uid="1.2", count=FRAMES) -> Run:
    times = np.arange(count) * 40.0
    return Run(path, None, count, 24, 32, times, sop_instance_uid=uid)


class PlainSession(QObject):
    """What an import needs of a session, without frames, store and networks."""

    run_left = Signal(object)
    said = Signal(str)
    warned = Signal(str)
    failed = Signal(str)

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.background = Background()
        self.opened = SimpleNamespace(run=run, labels=Labels(run.frame_count))
        self.labelling = SimpleNamespace(apply=self.opened.labels.apply)
        self.heard: list[str] = []
        for signal in (self.said, self.warned, self.failed):
            signal.connect(self.heard.append)


@pytest.fixture
def session(qtbot, tmp_path):
    made = PlainSession(a_run(tmp_path / "r.dcm"))
    yield made
    made.background.close()


@pytest.fixture
def importing(qtbot, session):
    parent = QWidget()
    qtbot.addWidget(parent)
    made = Importing(parent, session)
    yield made
    if made.dialog is not None:
        made.dialog.reject()


@pytest.fixture
def export(tmp_path):
    def write(uid="1.2", count=FRAMES, frames=(2, 3), name="json"):
        points = [TrackPoint(frame, 9.0, 9.0) for frame in frames]
        track = make_track("<b>tip</b>", "catheter tip", points, 0)
        path = tmp_path / "labels.json"
        FORMATS[name].write(path, label_file(a_run(tmp_path / "r.dcm", uid, count), [track]))
        return path

    return write


def shown(qtbot, importing, path):
    importing.load_labels(path)
    qtbot.waitUntil(lambda: importing.dialog is not None)
    return importing.dialog


def ok(dialog):
    return dialog.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)


def words(dialog) -> list[str]:
    labels = [label for label in dialog.findChildren(QLabel) if not label.isHidden()]
    return [label.text() for label in labels]


def ticks(dialog) -> list[QCheckBox]:
    return [box for box in dialog.findChildren(QCheckBox) if not box.isHidden()]


def test_an_import_is_shown_and_then_taken_in_one_step(qtbot, importing, session, export):
    dialog = shown(qtbot, importing, export())
    labels = session.opened.labels
    assert labels.tracks == ()
    said = words(dialog)
    assert [text for text in said if text == "r.dcm"] == ["r.dcm", "r.dcm"]
    assert said.count("32 x 24") == 2
    assert said.count("10") == 2
    assert "2 of them" in said
    assert "Points that would be set: 2." in said
    assert "New tracks: <b>tip</b>." in said
    assert ticks(dialog) == []
    qtbot.mouseClick(ok(dialog), Qt.MouseButton.LeftButton)
    assert [len(track.marked_points) for track in labels.tracks] == [2]
    assert session.heard == ["2 points imported (<b>tip</b>)."]
    assert importing.dialog is None
    labels.undo()
    assert labels.tracks == ()


def test_another_runs_labels_wait_for_every_question(qtbot, importing, session, export):
    dialog = shown(qtbot, importing, export(uid="9.9", count=12, frames=(2, 11)))
    first, second = ticks(dialog)
    assert "another run" in first.text()
    assert "12 frames" in second.text()
    assert any("none of this run, left out: 1" in text for text in words(dialog))
    assert not ok(dialog).isEnabled()
    first.setChecked(True)
    assert not ok(dialog).isEnabled()
    second.setChecked(True)
    assert ok(dialog).isEnabled()
    second.setChecked(False)
    assert not ok(dialog).isEnabled()
    second.setChecked(True)
    dialog.accept()
    assert [p.frame for p in session.opened.labels.tracks[0].marked_points] == [2]


def test_refusing_changes_nothing(qtbot, importing, session, export):
    dialog = shown(qtbot, importing, export())
    dialog.reject()
    assert session.opened.labels.tracks == ()
    assert importing.dialog is None


def test_whose_points_stay_is_asked_where_they_differ(qtbot, importing, session, export):
    labels = session.opened.labels
    labels.apply(add_track(new_track((), "<b>tip</b>")))
    labels.apply(place_point(labels.tracks[0], 2, 1.0, 1.0))
    dialog = shown(qtbot, importing, export())
    assert "Points of the file that differ from yours: 1." in words(dialog)
    assert "Points that would be set: 1." in words(dialog)
    choice = next(b for b in dialog.findChildren(QComboBox) if b.findText("Take the file's") >= 0)
    assert not choice.isHidden()
    choice.setCurrentIndex(choice.findText("Take the file's"))
    choice.activated.emit(choice.currentIndex())
    qtbot.waitUntil(lambda: "Points that would be set: 2." in words(dialog))
    dialog.accept()
    assert labels.tracks[0].points[2].x == 9.0


def test_labels_that_came_meanwhile_are_heeded(qtbot, importing, session, export):
    dialog = shown(qtbot, importing, export())
    labels = session.opened.labels
    labels.apply(add_track(new_track((), "<b>tip</b>")))
    labels.apply(place_point(labels.tracks[0], 2, 1.0, 1.0))
    dialog.accept()
    (track,) = labels.tracks
    assert [(p.frame, p.x) for p in track.marked_points] == [(2, 1.0), (3, 9.0)]


def test_a_change_of_run_closes_the_preview(qtbot, importing, session, export, tmp_path):
    shown(qtbot, importing, export())
    former = session.opened
    session.opened = SimpleNamespace(run=a_run(tmp_path / "s.dcm"), labels=Labels(FRAMES))
    session.run_left.emit(former)
    assert importing.dialog is None
    assert "nothing was done" in session.heard[-1]
    assert former.labels.tracks == session.opened.labels.tracks == ()


def test_a_file_read_too_late_lands_nowhere(qtbot, importing, session, export, tmp_path):
    importing.load_labels(export())
    former = session.opened
    session.opened = SimpleNamespace(run=a_run(tmp_path / "s.dcm"), labels=Labels(FRAMES))
    qtbot.waitUntil(lambda: bool(session.heard))
    assert "nothing was done" in session.heard[-1]
    assert importing.dialog is None
    assert former.labels.tracks == session.opened.labels.tracks == ()


def test_refused_labels_are_not_said_to_be_imported(qtbot, importing, session, export):
    session.labelling.apply = lambda edit: None  # the labels are locked
    dialog = shown(qtbot, importing, export())
    dialog.accept()
    assert session.heard == []


def test_a_damaged_file_is_one_sentence(qtbot, importing, session, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("{")
    importing.load_labels(path)
    qtbot.waitUntil(lambda: bool(session.heard))
    assert session.heard == ["a.json is not a JSON file."]
    assert importing.dialog is None


def test_the_run_and_its_first_number_are_chosen(qtbot, importing, session, tmp_path):
    images, annotations = [], []
    for name in ("a/2.png", "a/3.png", "b/4.png", "b/6.png"):
        n = len(images)
        images.append({"id": n, "file_name": name, "width": 32, "height": 24})
        point = {"id": n, "image_id": n, "category_id": 1, "keypoints": [n, 2, 2]}
        annotations.append(point)
    category = {"id": 1, "name": "catheter tip", "keypoints": ["tip"]}
    path = tmp_path / "coco.json"
    document = {"images": images, "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(document))
    dialog = shown(qtbot, importing, path)
    assert not ok(dialog).isEnabled()
    part = next(b for b in dialog.findChildren(QComboBox) if b.findText("b/#.png") >= 0)
    assert [part.itemText(n) for n in range(part.count())][1:] == ["a/#.png", "b/#.png"]
    part.setCurrentIndex(2)
    part.activated.emit(2)
    qtbot.waitUntil(
        lambda: ["0 or 1" in " ".join(t.text().split()) for t in ticks(dialog)] == [True]
    )
    assert not ok(dialog).isEnabled()
    dialog.findChild(QSpinBox).setValue(1)
    assert ok(dialog).isEnabled()
    qtbot.waitUntil(lambda: "Points that would be set: 2." in words(dialog))
    assert ticks(dialog) == []
    dialog.accept()
    (track,) = session.opened.labels.tracks
    assert [(p.frame, p.x) for p in track.marked_points] == [(3, 2.0), (5, 3.0)]


def test_our_own_export_is_known_by_its_run(qtbot, importing, session, export, tmp_path):
    moved = shutil.move(export(name="coco"), tmp_path / "elsewhere.json")
    dialog = shown(qtbot, importing, tmp_path / moved)
    assert ticks(dialog) == []
    assert "this very run" in words(dialog)
    dialog.reject()
