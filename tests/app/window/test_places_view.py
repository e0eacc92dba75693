"""Runs side by side in the window: drawn, chosen, dropped, and none in the way of another."""

import shutil
from dataclasses import replace

import av
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from app.session.look import Comparison
from app.session.synchrony import Sync
from app.session.tools import Mode
from inference.heart.phase import HeartPhase
from widgets.panels.run_model import RUN_KEY
from widgets.picture.corner_text import Corner


@pytest.fixture
def two(qtbot, make_window, run_file, other_run_file):
    """A window with a run of 20 frames in the active first place, one of 12 in the second."""
    window = make_window(run_file)
    window.commander.do("two_places")
    drop(window, 1, run_key(other_run_file))
    qtbot.waitUntil(lambda: shown(window) == other_run_file and window.picture.complete)
    window.session.activate(0)
    qtbot.waitUntil(lambda: window.picture.complete)
    return window


def shown(window):
    opened = window.session.opened
    return None if opened is None else opened.run.path


def run_key(path):
    data = QMimeData()
    data.setData(RUN_KEY, str(path).encode())
    return data


def drop(window, index, data):
    grid = window.place_grid
    grid.dropEvent(
        QDropEvent(
            QPointF(grid._cell(index).center()),
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )


def beside(window, index=1):
    """Return the view of a place that is not worked on."""
    return window.place_grid.view(index)


def press(qtbot, view):
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.rect().center())


def drawn(view):
    """Return the frame that a view shows, and the mean of its picture."""
    return view._frame, float(view._pictures.original.mean())


def test_a_run_that_is_dropped_opens_in_that_place(two, run_file, other_run_file):
    assert shown(two) == run_file
    assert beside(two)._pictures.original.shape == (96, 96)
    assert two.view._pictures.original.shape == (128, 128)
    assert two.view.geometry().left() < beside(two).geometry().left()
    assert not beside(two, 0).isVisible()


def test_files_that_are_dropped_open_in_that_place(qtbot, two, other_run_file, tmp_path):
    third = tmp_path / "third.dcm"
    shutil.copy(other_run_file, third)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(third))])
    drop(two, 1, data)
    qtbot.waitUntil(lambda: shown(two) == third)
    assert two.session.places.active == 1


def test_the_first_click_on_another_place_only_turns_to_it(qtbot, two, other_run_file):
    two.session.tools.set_mode(Mode.LABEL)
    where = beside(two).geometry()
    press(qtbot, beside(two))
    assert shown(two) == other_run_file
    assert two.view.geometry() == where
    assert not two.session.opened.labels.tracks
    assert beside(two, 0)._pictures.original.shape == (128, 128)
    assert not beside(two, 1).isVisible()
    press(qtbot, two.view)  # the next one is meant for the picture
    assert len(two.session.opened.labels.tracks) == 1
    qtbot.waitUntil(lambda: two.session.worker.idle)
    assert two.windowTitle().startswith("other.dcm")


def test_an_empty_place_can_be_turned_to_and_filled(qtbot, make_window, run_file, other_run_file):
    window = make_window(run_file)
    window.commander.do("two_places")
    assert beside(window)._message.title == "Drag a run here"
    press(qtbot, beside(window))
    assert shown(window) is None
    assert window.view._message.title == "Drag a run here"
    assert "toggle_play" not in window.commander._usable
    press(qtbot, window.view)  # opens no dialog: it may be the second half of a double click
    window.session.library.open_run(other_run_file)
    qtbot.waitUntil(lambda: window.picture.complete and shown(window) == other_run_file)
    assert window.view._message is None
    window.commander.do("close_run")
    assert shown(window) is None
    assert beside(window, 0)._pictures is not None


def test_an_empty_window_says_what_can_be_done_with_one_place_and_with_two(make_window):
    window = make_window()
    for command, title in (("two_places", "Drag a run here"), ("one_place", "Drop an X-ray run")):
        window.commander.do(command)
        assert window.view._message.title.startswith(title)


def test_all_places_play_together(qtbot, two):
    frames = []
    two.places_view.pictures[1].frame_shown.connect(frames.append)
    two.commander.do("toggle_play")
    qtbot.waitUntil(lambda: len(set(frames)) > 5)
    two.commander.do("next_place")
    assert two.session.playback.playing
    others = []
    two.places_view.pictures[0].frame_shown.connect(others.append)
    qtbot.waitUntil(lambda: len(set(others)) > 5)
    two.commander.do("toggle_play")
    assert not two.session.playback.playing


def test_the_wheel_steps_all_or_the_place_under_the_mouse(qtbot, two):
    def wheel(view, modifiers=Qt.KeyboardModifier.NoModifier):
        place = QPointF(view.rect().center())
        event = QWheelEvent(
            place,
            view.viewport().mapToGlobal(place),
            QPoint(),
            QPoint(0, -120),
            Qt.MouseButton.NoButton,
            modifiers,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(view.viewport(), event)

    place = two.session.places.all[1]
    two.session.playback.seek(4)
    two.session.places.set_sync(Sync.FRAME)
    wheel(beside(two))
    assert (two.session.playback.frame, place.playback.frame) == (5, 5)
    two.commander.do("sync_off")
    wheel(beside(two))
    assert (two.session.playback.frame, place.playback.frame) == (5, 6)
    wheel(beside(two), Qt.KeyboardModifier.ControlModifier)
    assert two.session.places.active == 1


def test_headers_say_which_run_is_where_and_how_it_follows(two, monkeypatch):
    def titles():
        return [two.place_grid._titles[index] for index in (0, 1)]

    assert titles() == [("run.dcm", "in time"), ("other.dcm", "in time")]
    two.commander.do("sync_frame")
    two.commander.do("shift_forward")
    assert titles() == [("run.dcm", "frame by frame, +1 frame"), ("other.dcm", "frame by frame")]
    monkeypatch.setattr(type(two.session.heart), "phase_of", lambda *_: phase)
    phase = None
    two.commander.do("sync_phase")
    assert titles() == [("run.dcm", "by itself"), ("other.dcm", "by itself")]
    phase = HeartPhase(np.arange(20) % 5 / 5, (0.0,), 800.0, True, 1.0)
    two.session.heart.changed.emit()
    assert titles() == [("run.dcm", "by heart beat"), ("other.dcm", "by heart beat")]
    phase = replace(phase, from_ecg=False)
    two.session.heart.changed.emit()
    assert titles()[1] == ("other.dcm", "by estimated heart beat")


def test_zoom_is_linked_on_demand_and_a_place_keeps_its_own(qtbot, two):
    two.view.zoom_to(300.0)
    assert beside(two).place is None
    two.commander.do("link_zoom")
    assert beside(two).place == pytest.approx((4.0, 47.5, 47.5))
    two.commander.do("link_zoom")
    two.commander.do("fit")
    assert beside(two).place == pytest.approx((4.0, 47.5, 47.5))
    press(qtbot, beside(two))
    qtbot.waitUntil(lambda: two.picture.complete)
    assert two.view.place == pytest.approx((4.0, 47.5, 47.5))
    assert beside(two, 0).place is None


def test_labels_are_drawn_beside_and_stay_true(qtbot, two, run_file):
    two.session.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: two.session.worker.idle)
    qtbot.wait(20)
    drop(two, 1, run_key(run_file))  # the same run, twice
    qtbot.waitUntil(lambda: two.session.places.active == 1 and shown(two) == run_file)
    qtbot.waitUntil(lambda: two.picture.complete)
    assert len(beside(two, 0)._tracks) == 1
    two.session.labelling.place(70.0, 40.0)
    place = two.session.places.all[0]
    assert place.playback.frame == two.session.playback.frame
    assert beside(two, 0)._tracks[0].point.x == 70.0


def test_patient_data_is_hidden_everywhere(two):
    def corners():
        return [view._corners[Corner.TOP_LEFT] for view in (two.view, beside(two))]

    before = corners()
    two.commander.do("toggle_patient")
    assert all(len(now) < len(then) for now, then in zip(corners(), before, strict=True))


def test_denoised_frames_are_shown_beside(qtbot, two, engines):
    engines[1].noise_removed = True
    two.session.look.change(comparison=Comparison.SIDE_BY_SIDE)
    qtbot.waitUntil(lambda: bool(two.session.denoising.ready().all()))
    two.session.activate(1)
    qtbot.waitUntil(lambda: beside(two, 0)._pictures.denoised is not None)
    assert beside(two, 0).mode.value == "side by side"
    assert two.view.mode.value == "original"


def test_a_run_whose_file_vanishes_leaves_the_others_alone(
    qtbot, make_window, run_file, other_run_file
):
    window = make_window(other_run_file, frame_memory_mb=1)
    window.commander.do("two_places")
    drop(window, 1, run_key(run_file))
    qtbot.waitUntil(lambda: shown(window) == run_file and window.picture.complete)
    window.session.activate(0)
    place = window.session.places.all[1]
    place.opened.cache.close()  # nothing of it is in memory, and nothing comes any more
    place.opened.run.frames.close()
    for frame in (3, 7, 11):
        window.session.playback.seek(frame)
        qtbot.waitUntil(lambda: window.picture.complete)
        assert window.view._frame == frame
    press(qtbot, beside(window))
    window.session.playback.seek(15)
    window.session.activate(0)
    qtbot.waitUntil(lambda: window.picture.complete)


def test_a_broken_frame_says_so_in_its_place(qtbot, two, monkeypatch):
    from app.runs.run import RunError

    place = two.session.places.all[1]
    cache = place.opened.cache
    cache.set_budget(1)
    qtbot.waitUntil(lambda: cache.resting)

    def broken(index):
        raise RunError("The file is gone.")

    monkeypatch.setattr(place.opened.run.frames, "read", broken)
    two.session.places.set_sync(Sync.FRAME)
    two.session.playback.seek(6)
    qtbot.waitUntil(lambda: beside(two)._message is not None)
    assert beside(two)._message.text == "The file is gone."
    assert two.view._message is None


def test_turning_to_another_place_does_not_spoil_a_movie(qtbot, two, tmp_path):
    recorder = two.hands.exporting.save_movie(tmp_path / "m.mp4")
    two.session.activate(1)
    qtbot.waitUntil(lambda: recorder.done, timeout=30000)
    with av.open(str(tmp_path / "m.mp4")) as movie:
        assert sum(1 for _ in movie.decode(video=0)) == 20


def test_a_run_that_is_closed_ends_its_movie(qtbot, two, tmp_path):
    recorder = two.hands.exporting.save_movie(tmp_path / "m.mp4")
    two.session.activate(1)
    two.commander.do("one_place")
    qtbot.waitUntil(lambda: not recorder._timer.isActive())
    assert not recorder.done
    assert not (tmp_path / "m.mp4").exists()


def test_no_result_is_written_onto_a_run_in_another_place(qtbot, two, other_run_file):
    before = other_run_file.read_bytes()
    told = []
    two.session.failed.connect(told.append)
    two.hands.exporting.save_picture(other_run_file)
    assert len(told) == 1
    assert other_run_file.read_bytes() == before


def test_the_layout_comes_back_and_one_place_has_no_header(two, make_window, run_file):
    assert two.view.geometry() != two.place_grid.rect()
    two.commander.do("maximise_place")
    assert two.view.geometry() == two.place_grid.rect()
    assert not beside(two).isVisible()
    two.commander.do("maximise_place")
    assert beside(two).isVisible()
    two.close()
    again = make_window(places=2)
    assert again.session.places.count == 2
    assert beside(again).isVisible()
    again.commander.do("one_place")
    assert again.view.geometry() == again.place_grid.rect()


def test_a_double_click_gives_the_window_to_one_place(qtbot, two):
    viewport = two.view.viewport()
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=two.view.rect().center())
    assert two.session.places.maximised
    assert not two.hands.frame.full_screen
    qtbot.mouseDClick(viewport, Qt.MouseButton.LeftButton, pos=two.view.rect().center())
    assert not two.session.places.maximised
    header = two.place_grid._header(1).center()
    qtbot.mouseClick(two.place_grid, Qt.MouseButton.LeftButton, pos=header)
    assert two.session.places.active == 1
    qtbot.mouseDClick(two.place_grid, Qt.MouseButton.LeftButton, pos=header)
    assert two.session.places.maximised


def test_measures_are_drawn_beside(two):
    from app.tracks.marks import MarkKind

    two.session.measuring.draw(MarkKind.DISTANCE, 0, ((10.0, 10.0), (30.0, 10.0)))
    two.session.activate(1)
    assert len(beside(two, 0)._marks) == 1


def test_four_runs_are_open_and_the_window_closes(qtbot, two, tmp_path, run_file, other_run_file):
    two.commander.do("four_places")
    for index, source in ((2, run_file), (3, other_run_file)):
        path = tmp_path / f"{index}.dcm"
        shutil.copy(source, path)
        drop(two, index, run_key(path))
        qtbot.waitUntil(lambda path=path: shown(two) == path and two.picture.complete)
    cells = [two.place_grid._cell(index) for index in range(4)]
    assert not any(a.intersects(b) for a in cells for b in cells if a is not b)
    assert len(two.session.places.seen) == 3
    two.session.playback.play()
    two.close()
    qtbot.waitUntil(lambda: not two.isVisible())


def test_a_run_can_be_dragged_out_of_the_list_but_no_heading(qtbot, two, run_file):
    model = two.run_list._model
    qtbot.waitUntil(lambda: model.index_of(str(run_file)).isValid())
    index = model.index_of(str(run_file))
    assert index.flags() & Qt.ItemFlag.ItemIsDragEnabled
    assert not index.parent().flags() & Qt.ItemFlag.ItemIsDragEnabled
    assert bytes(model.mimeData([index]).data(RUN_KEY).data()).decode() == str(run_file)
    assert not model.mimeData([index]).hasUrls()


def test_the_list_marks_all_runs_that_are_seen(qtbot, two, run_file, other_run_file):
    marks = two.run_list._delegate
    assert (marks.current, marks.seen) == (str(run_file), {str(other_run_file)})
    two.session.activate(1)
    assert (marks.current, marks.seen) == (str(other_run_file), {str(run_file)})
    two.commander.do("one_place")
    assert (marks.current, marks.seen) == (str(other_run_file), set())


def test_a_notice_lies_above_all_places(two):
    two.session.failed.emit("Something is wrong.")
    children = [child for child in two.place_grid.children() if child.isWidgetType()]
    assert children.index(two.notices) > children.index(beside(two))
    assert two.notices.isVisible()


def test_what_lies_on_the_picture_lets_drops_through(two):
    for view in (two.view, beside(two)):
        assert not view.acceptDrops()
        assert not view.viewport().acceptDrops()
    assert two.place_grid.acceptDrops()


def test_nothing_moves_between_runs_with_and_without_an_ecg(qtbot, make_window, run_file, tmp_path):
    plain = tmp_path / "plain.npy"
    np.save(plain, np.zeros((9, 40, 40), np.uint8))
    window = make_window(run_file)
    window.commander.do("two_places")
    drop(window, 1, run_key(plain))
    qtbot.waitUntil(lambda: shown(window) == plain and window.picture.complete)
    assert window.ecg_strip.isVisible()
    assert not window.ecg_strip.has_ecg
    QApplication.processEvents()
    height = window.place_grid.height()
    window.session.activate(0)
    QApplication.processEvents()
    assert window.ecg_strip.has_ecg
    assert window.place_grid.height() == height
    window.session.activate(1)
    window.commander.do("close_run")
    QApplication.processEvents()
    assert window.place_grid.height() == height
    window.session.activate(0)
    window.commander.do("close_run")
    assert not window.ecg_strip.isVisible()


def test_pictures_beside_have_the_size_of_their_place(two):
    width = two.place_grid.width()
    both = two.view.width() + beside(two).width()
    assert width - 16 < both < width
    assert np.abs(two.view.width() - beside(two).width()) <= 1
