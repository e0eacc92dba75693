"""Pictures and movies that go out, decoded again."""

import shutil
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pydicom
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog

from app.runs.run import RunError, Window
from app.session.look import Comparison
from app.tracks.marks import MarkKind
from app.window.recorder import rgb
from widgets.dialogs.export_dialog import ExportChoices, MovieFormat, PictureSize

SECRETS = ("Quixote", "Q-4711", "19470916", "1947-09-16", "Windmill")
GREYS = np.arange(12, dtype=np.uint8) * 20
"""Of the frames of a run in which each frame has one grey of its own."""
BARE = ExportChoices(marks=False, corners=False, size=PictureSize.RUN)


@pytest.fixture
def grey_run(tmp_path):
    path = tmp_path / "greys.npy"
    np.save(path, np.broadcast_to(GREYS[:, None, None], (12, 60, 96)))
    return path


@pytest.fixture
def grey_window(make_window, grey_run):
    window = make_window(grey_run)
    window.session.look.change_grey(voi=Window(128.0, 256.0))
    return window


@pytest.fixture
def named_run(run_file):
    """A run whose file names a patient, also where somebody typed it by hand."""
    dataset = pydicom.dcmread(run_file)
    dataset.PatientName = "Quixote^Alonso"
    dataset.PatientID = "Q-4711"
    dataset.PatientBirthDate = "19470916"
    dataset.PatientSex = "M"
    dataset.StudyDescription = "Windmill of Quixote"
    dataset.SeriesDescription = "Quixote LAO"
    dataset.save_as(run_file)
    return run_file


@pytest.fixture
def nameless_run(named_run, tmp_path):
    """The same run of nobody."""
    dataset = pydicom.dcmread(named_run)
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"):
        setattr(dataset, name, "")
    dataset.StudyDescription = dataset.SeriesDescription = ""
    (tmp_path / "nobody").mkdir()
    path = tmp_path / "nobody" / "run.dcm"
    dataset.save_as(path)
    return path


def picture(path) -> np.ndarray:
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found[:, :, ::-1].astype(int)


def saved_picture(qtbot, window, path, choices=None) -> np.ndarray:
    exporting = window.hands.exporting
    recorder = (
        exporting.save_picture(path) if choices is None else exporting.save_picture(path, choices)
    )
    qtbot.waitUntil(lambda: recorder.done, timeout=20000)
    return picture(path)


def saved_movie(qtbot, window, path, choices=None) -> None:
    exporting = window.hands.exporting
    recorder = (
        exporting.save_movie(path) if choices is None else exporting.save_movie(path, choices)
    )
    qtbot.waitUntil(lambda: recorder.done, timeout=40000)


def decoded(path) -> list[tuple[float, np.ndarray]]:
    """Return when each picture is shown, in ms, and the picture (H, W, 3)."""
    if path.is_dir():
        return [(0.0, picture(file)) for file in sorted(path.iterdir())]
    if path.suffix == ".mp4":
        with av.open(str(path)) as movie:
            return [(1000 * f.time, f.to_ndarray(format="rgb24")) for f in movie.decode(video=0)]
    _, found = cv2.imreadanimation(str(path))
    starts = np.cumsum([0, *found.durations])[:-1]
    return [(t, f[:, :, 2::-1]) for t, f in zip(starts, found.frames, strict=True)]


def middle(image) -> float:
    rows, columns = image.shape[:2]
    return float(image[rows // 2 : 2 * rows // 3, columns // 3 : columns // 2].mean())


# patient data


def test_nothing_tells_the_patient_unless_that_is_asked_for(
    qtbot, make_window, named_run, nameless_run, tmp_path
):
    window = make_window(named_run)
    assert window.session.look.now.patient
    plain = saved_picture(qtbot, window, tmp_path / "plain.png")
    told = saved_picture(qtbot, window, tmp_path / "told.png", ExportChoices(patient=True))
    saved_movie(qtbot, window, tmp_path / "plain", ExportChoices(size=PictureSize.RUN))
    window.session.library.open_paths([nameless_run])
    qtbot.waitUntil(lambda: window.session.opened.run.path == nameless_run)
    qtbot.waitUntil(lambda: window.picture.complete)
    nobody = saved_picture(qtbot, window, tmp_path / "nobody.png", ExportChoices(patient=True))
    saved_movie(qtbot, window, tmp_path / "no", ExportChoices(size=PictureSize.RUN, patient=True))
    np.testing.assert_array_equal(plain, nobody)
    differ = (told != nobody).any(axis=2)
    rows, columns = differ.shape
    assert differ[: rows // 2, : columns // 2].sum() > 500
    differ[: rows // 2, : columns // 2] = False
    assert not differ.any()
    shown, expected = decoded(tmp_path / "plain"), decoded(tmp_path / "no")
    assert len(shown) == len(expected) == 20
    for (_, one), (_, other) in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ending", [".mp4", ".webp", ".gif", ""])
def test_no_file_holds_what_the_run_says_of_the_patient(
    qtbot, make_window, named_run, tmp_path, ending
):
    window = make_window(named_run)
    out = tmp_path / "out"
    out.mkdir()
    saved_movie(qtbot, window, out / f"movie{ending}", BARE)
    saved_picture(qtbot, window, out / "picture.png")
    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) >= 2
    for file in files:
        for secret in SECRETS:
            assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize("command", ["export_picture", "export_movie"])
def test_patient_data_is_asked_for_each_time_and_the_name_offered_tells_none(
    qtbot, make_window, named_run, tmp_path, monkeypatch, command
):
    window = make_window(named_run)
    offered = []

    def name(parent, title, start, filters):
        offered.append(Path(start))
        suffix = Path(start).suffix
        return str(tmp_path / f"out{len(offered)}{suffix}"), filters

    monkeypatch.setattr(QFileDialog, "getSaveFileName", name)
    window.commander.do(command)
    dialog = window.hands.exporting.dialog
    assert not dialog.choices().patient
    dialog._patient.click()
    dialog._size.setCurrentIndex(1)
    assert dialog.choices().patient
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not window.hands.exporting._recorders, timeout=40000)
    assert len(list(tmp_path.glob("out1.*"))) == 1
    (start,) = offered
    assert start.parent == named_run.parent
    assert start.name.startswith("run-")
    assert "quixote" not in start.name.lower()
    window.commander.do(command)
    dialog = window.hands.exporting.dialog
    assert dialog.choices() == ExportChoices(size=PictureSize.RUN)
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert window.hands.exporting.dialog is None
    assert len(offered) == 1


def test_the_preview_shows_what_would_go_out(qtbot, make_window, named_run):
    window = make_window(named_run)
    window.commander.do("export_picture")
    dialog = window.hands.exporting.dialog

    def corner() -> np.ndarray:
        shown = dialog._preview.pixmap().toImage()
        seen = rgb(shown)
        return seen[: seen.shape[0] // 2, : seen.shape[1] // 2].astype(int)

    plain = corner()
    dialog._patient.click()
    assert np.abs(corner() - plain).max() > 20
    dialog._patient.click()
    np.testing.assert_array_equal(corner(), plain)
    dialog._size.setCurrentIndex(1)
    assert "128 × 128" in dialog._pixels.text()
    dialog.reject()


def test_the_preview_is_denoised_as_soon_as_the_frame_is(qtbot, grey_window, engines):
    held = threading.Event()
    engines[1].before_frame = held.wait
    engines[1].change = lambda frame: 90.0
    engines[1].noise_removed = True
    grey_window.session.playback.seek(2)
    grey_window.session.look.change(comparison=Comparison.DENOISED)
    grey_window.commander.do("export_picture")
    dialog = grey_window.hands.exporting.dialog

    def grey():
        return middle(rgb(dialog._preview.pixmap().toImage()))

    assert grey() == pytest.approx(GREYS[2], abs=2)
    held.set()
    qtbot.waitUntil(lambda: grey() == pytest.approx(GREYS[2] + 90, abs=2))
    dialog.reject()


# the picture


def test_a_picture_as_on_the_screen_is_the_one_on_the_screen(qtbot, grey_window, engines, tmp_path):
    engines[1].change = lambda frame: 40.0
    engines[1].noise_removed = True
    window, look = grey_window, grey_window.session.look
    window.session.measuring.draw(MarkKind.DISTANCE, 5, [(10.0, 12.0), (70.0, 40.0)])
    window.session.measuring.select(None)
    window.session.playback.seek(5)
    look.change(comparison=Comparison.WIPE, patient=False, place=(11.0, 40.0, 30.0), turns=1)
    window.view.set_wipe_position(0.3)
    qtbot.waitUntil(lambda: window.picture.complete)
    shown = rgb(window.view.grab_picture()).astype(int)
    np.testing.assert_array_equal(saved_picture(qtbot, window, tmp_path / "p.png"), shown)


@pytest.mark.parametrize("size", [PictureSize.RUN, PictureSize.FULL_HD])
def test_another_size_shows_the_same_part(qtbot, make_window, tmp_path, size):
    x = np.arange(250, dtype=np.uint8)
    np.save(tmp_path / "ramp.npy", np.broadcast_to(x, (3, 200, 250)))
    window = make_window(tmp_path / "ramp.npy")
    window.session.look.change_grey(voi=Window(128.0, 256.0))
    window.session.look.change(place=(6.0, 80.0, 90.0))
    screen = rgb(window.view.grab_picture()).astype(float)
    choices = ExportChoices(marks=False, corners=False, size=size)
    saved = saved_picture(qtbot, window, tmp_path / "p.png", choices)
    expected = (250, 200) if size is PictureSize.RUN else (1920, 1080)
    assert (saved.shape[1], saved.shape[0]) == expected
    share = min(saved.shape[1] / screen.shape[1], saved.shape[0] / screen.shape[0])
    for away in (-160, -40, 0, 90, 200):
        there = saved[saved.shape[0] // 2, saved.shape[1] // 2 + round(away * share)]
        here = screen[screen.shape[0] // 2, screen.shape[1] // 2 + away]
        assert there[0] == pytest.approx(here[0], abs=1.5)


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        ({}, (96, 60)),
        ({"turns": 1}, (60, 96)),
        ({"comparison": Comparison.SIDE_BY_SIDE}, (196, 60)),
    ],
)
def test_at_its_own_size_each_pixel_is_one_of_the_run(qtbot, make_window, tmp_path, look, expected):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 60, 96)).astype(np.uint8)
    np.save(tmp_path / "noise.npy", pixels)
    window = make_window(tmp_path / "noise.npy")
    window.session.look.change_grey(voi=Window(128.0, 256.0))
    window.session.look.change(**look)
    qtbot.waitUntil(lambda: window.picture.complete)
    saved = saved_picture(qtbot, window, tmp_path / "p.png", BARE)
    assert (saved.shape[1], saved.shape[0]) == expected
    own = np.rot90(pixels[0], -1) if look.get("turns") else pixels[0]
    rows = slice(30, None)  # below the pill that says what is shown
    np.testing.assert_allclose(saved[rows, : own.shape[1], 0], own[rows], atol=1)


def test_tracks_and_measures_are_on_it_or_not(qtbot, grey_window, tmp_path):
    window = grey_window
    window.session.measuring.draw(MarkKind.DISTANCE, 0, [(10.0, 12.0), (70.0, 40.0)])
    window.session.labelling.place(30.0, 30.0, frame=0)
    window.session.playback.seek(0)

    def colours(choices):
        saved = saved_picture(qtbot, window, tmp_path / "p.png", choices)
        return int((np.ptp(saved, axis=2) > 20).sum())

    assert colours(ExportChoices(marks=False)) == 0
    assert colours(ExportChoices(marks=True)) > 100
    window.session.look.change(tracks=False)  # what is asked for counts, not the screen
    assert colours(ExportChoices(marks=True)) > 100


def test_corner_texts_are_on_it_or_not(qtbot, grey_window, tmp_path):
    grey_window.session.playback.seek(3)
    bare = ExportChoices(corners=False, marks=False)
    one = saved_picture(qtbot, grey_window, tmp_path / "a.png", bare)
    other = saved_picture(qtbot, grey_window, tmp_path / "b.png", ExportChoices(marks=False))
    differ = (one != other).any(axis=2)
    rows, columns = differ.shape
    assert differ[rows // 2 :, : columns // 2].any()
    assert middle(one) == GREYS[3]


def test_a_picture_waits_until_it_is_denoised(qtbot, grey_window, engines, tmp_path):
    held = threading.Event()
    engines[1].before_frame = held.wait
    engines[1].change = lambda frame: 50.0
    engines[1].noise_removed = True
    grey_window.session.playback.seek(4)
    grey_window.session.look.change(comparison=Comparison.DENOISED)
    recorder = grey_window.hands.exporting.save_picture(tmp_path / "p.png", BARE)
    assert not recorder.done
    assert not (tmp_path / "p.png").exists()
    held.set()
    qtbot.waitUntil(lambda: recorder.done)
    assert middle(picture(tmp_path / "p.png")) == pytest.approx(GREYS[4] + 50, abs=2)


# movies


@pytest.mark.parametrize(("ending", "off_ms"), [(".mp4", 1), (".webp", 1), (".gif", 5.1)])
@pytest.mark.parametrize("speed", [0.25, 1.0, 2.0])
def test_a_span_goes_out_at_the_speed_that_is_asked_for(
    qtbot, grey_window, tmp_path, ending, off_ms, speed
):
    window = grey_window
    window.session.labelling.set_span(3, 9)
    choices = ExportChoices(size=PictureSize.RUN, span_only=True, speed=speed, corners=False)
    path = tmp_path / f"m{ending}"
    saved_movie(qtbot, window, path, choices)
    shown = decoded(path)
    times = window.session.opened.run.frame_times_ms[3:10]
    np.testing.assert_allclose([t for t, _ in shown], (times - times[0]) / speed, atol=off_ms)
    np.testing.assert_allclose([middle(p) for _, p in shown], GREYS[3:10], atol=6)
    assert {p.shape for _, p in shown} == {(60, 96, 3)}


def test_without_a_span_the_whole_run_goes_out(qtbot, grey_window, tmp_path):
    saved_movie(qtbot, grey_window, tmp_path / "m.gif", ExportChoices(span_only=True))
    shown = decoded(tmp_path / "m.gif")
    np.testing.assert_allclose([middle(p) for _, p in shown], GREYS, atol=1)


def test_a_folder_of_pictures_is_numbered_as_on_the_screen(qtbot, grey_window, tmp_path):
    grey_window.session.labelling.set_span(3, 6)
    choices = ExportChoices(span_only=True, corners=False)
    saved_movie(qtbot, grey_window, tmp_path / "m", choices)
    names = [file.name for file in sorted((tmp_path / "m").iterdir())]
    assert names == ["frame0004.png", "frame0005.png", "frame0006.png", "frame0007.png"]
    np.testing.assert_allclose([middle(p) for _, p in decoded(tmp_path / "m")], GREYS[3:7])


def test_the_wipe_moves_across_once_where_it_is_on(qtbot, grey_window, engines, tmp_path):
    engines[1].change = lambda frame: 200.0 - 2 * float(GREYS[frame])
    engines[1].noise_removed = True
    window = grey_window
    window.session.look.change(comparison=Comparison.WIPE)
    window.view.set_wipe_position(0.25)
    window.session.labelling.set_span(0, 4)  # dark beside bright

    def shares(moving):
        path = tmp_path / f"moving {moving}"
        choices = ExportChoices(
            size=PictureSize.RUN, span_only=True, corners=False, moving_wipe=moving
        )
        saved_movie(qtbot, window, path, choices)
        return [float((p[-2, :, 0] > 100).mean()) for _, p in decoded(path)]

    np.testing.assert_allclose(shares(True), [0, 0.25, 0.5, 0.75, 1], atol=0.03)
    np.testing.assert_allclose(shares(False), [0.75] * 5, atol=0.03)
    assert window.view.wipe_position == 0.25


@pytest.mark.parametrize("size", [PictureSize.RUN, PictureSize.FULL_HD])
def test_the_ecg_runs_below_with_its_cursor(qtbot, make_window, run_file, tmp_path, size):
    window = make_window(run_file)
    window.session.labelling.set_span(4, 12)
    choices = ExportChoices(size=size, ecg=True, span_only=True, corners=False, marks=False)
    saved_movie(qtbot, window, tmp_path / "m", choices)
    shown = [image for _, image in decoded(tmp_path / "m")]
    rows, columns = shown[0].shape[:2]
    assert columns == (128 if size is PictureSize.RUN else 1920)
    assert rows > 150 if size is PictureSize.RUN else rows == 1080
    strips = [image[rows - 30 :] for image in shown]
    green = [(s[:, :, 1] - s[:, :, 0] > 40).sum() for s in strips]
    assert min(green) > columns // 4
    cursors = [int(s.min(axis=(0, 2)).argmax()) for s in strips]
    steps = np.diff(cursors)
    assert (steps > 0).all()
    assert cursors[0] < columns * 0.3
    assert cursors[-1] > columns * 0.85
    without = ExportChoices(size=PictureSize.RUN, ecg=False, corners=False)
    assert saved_picture(qtbot, window, tmp_path / "p.png", without).shape == (128, 128, 3)


def test_a_picture_has_the_ecg_of_the_whole_run_whatever_is_marked(
    qtbot, make_window, run_file, tmp_path
):
    window = make_window(run_file)
    window.session.labelling.set_span(15, 18)
    window.session.playback.seek(2)
    choices = ExportChoices(size=PictureSize.RUN, ecg=True, span_only=True)
    marked = saved_picture(qtbot, window, tmp_path / "a.png", choices)
    window.session.labelling.drop_span()
    plain = saved_picture(qtbot, window, tmp_path / "b.png", choices)
    np.testing.assert_array_equal(marked, plain)


def test_a_run_without_ecg_has_no_strip(qtbot, grey_window, tmp_path):
    choices = ExportChoices(size=PictureSize.RUN, ecg=True)
    assert saved_picture(qtbot, grey_window, tmp_path / "p.png", choices).shape == (60, 96, 3)


def test_a_frame_that_cannot_be_decoded_says_so_and_the_movie_goes_on(
    qtbot, grey_window, tmp_path, monkeypatch
):
    opened = grey_window.session.opened
    read = opened.run.frames.read
    opened.cache.set_budget(1)
    qtbot.waitUntil(lambda: opened.cache.resting)

    def broken(index):
        if index == 5:
            raise RunError("The file is gone.")
        return read(index)

    monkeypatch.setattr(opened.run.frames, "read", broken)
    saved_movie(qtbot, grey_window, tmp_path / "m", ExportChoices(corners=False))
    shown = [middle(p) for _, p in decoded(tmp_path / "m")]
    assert len(shown) == 12
    np.testing.assert_allclose(shown[:5] + shown[6:], np.delete(GREYS, 5), atol=1)
    assert shown[5] < 60


# how it goes on and ends


def test_two_movies_are_recorded_at_once_and_a_closing_window_ends_both(
    qtbot, grey_window, engines, tmp_path
):
    held = threading.Event()
    engines[1].before_frame = held.wait
    grey_window.session.look.change(comparison=Comparison.DENOISED)
    exporting = grey_window.hands.exporting
    recorders = [exporting.save_movie(tmp_path / name) for name in ("a.mp4", "b.gif", "c")]
    grey_window.close()
    held.set()
    assert not any(recorder._timer.isActive() for recorder in recorders)
    assert {path.name for path in tmp_path.iterdir()} <= {"greys.npy", "config", "data"}


def test_a_run_that_is_left_closes_the_dialog(qtbot, make_window, run_file, other_run_file):
    window = make_window(run_file)
    warned = []
    window.session.warned.connect(warned.append)
    window.commander.do("export_movie")
    window.session.library.open_paths([other_run_file])
    qtbot.waitUntil(lambda: window.hands.exporting.dialog is None)
    qtbot.waitUntil(lambda: window.session.opened.run.path == other_run_file)
    assert any("nothing was done" in text for text in warned)


def test_a_run_that_is_closed_while_a_name_is_asked_for_is_not_saved(
    make_window, run_file, tmp_path, monkeypatch
):
    window = make_window(run_file)
    warned = []
    window.session.warned.connect(warned.append)

    def name(*_):
        window.session.open(None)
        return str(tmp_path / "m.png"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", name)
    window.commander.do("export_picture")
    window.hands.exporting.dialog.accept()
    assert any("nothing was done" in text for text in warned)
    assert not (tmp_path / "m.png").exists()


@pytest.mark.parametrize("movie_format", list(MovieFormat))
def test_the_format_that_is_chosen_is_written(
    qtbot, grey_window, tmp_path, monkeypatch, movie_format
):
    def name(parent, title, start, filters):
        return str(tmp_path / Path(start).stem), filters

    monkeypatch.setattr(QFileDialog, "getSaveFileName", name)
    grey_window.commander.do("export_movie")
    dialog = grey_window.hands.exporting.dialog
    dialog._format.setCurrentIndex(list(MovieFormat).index(movie_format))
    dialog._size.setCurrentIndex(1)
    dialog.accept()
    qtbot.waitUntil(lambda: not grey_window.hands.exporting._recorders, timeout=40000)
    suffix = "" if movie_format is MovieFormat.PICTURES else f".{movie_format}"
    assert len(decoded(tmp_path / f"greys-movie{suffix}")) == 12


def test_a_still_cannot_be_a_movie(qtbot, make_window, tmp_path):
    np.save(tmp_path / "still.npy", np.zeros((1, 60, 96), np.uint8))
    window = make_window(tmp_path / "still.npy")
    window.hands.exporting.export_movie()
    assert window.hands.exporting.dialog is None
    window.hands.exporting.export_picture()
    window.hands.exporting.dialog.reject()


def test_a_view_may_be_smaller_than_a_window_can_be(qtbot, grey_window, tmp_path):
    saved = saved_picture(qtbot, grey_window, tmp_path / "p.png", BARE)
    assert QImage(str(tmp_path / "p.png")).size() == QSize(96, 60)
    assert (saved[30:] == GREYS[0]).all()


def test_a_real_run_goes_out_with_its_ecg_and_without_its_patient(
    qtbot, make_window, shared_data, tmp_path
):
    run = tmp_path / "run.dcm"
    shutil.copy(shared_data / "rubo" / "0002.DCM", run)
    window = make_window(run)
    window.session.labelling.set_span(20, 23)
    sizes = {"size": PictureSize.RUN, "span_only": True, "ecg": True}
    saved_movie(qtbot, window, tmp_path / "m.gif", ExportChoices(**sizes))
    saved_movie(qtbot, window, tmp_path / "told.gif", ExportChoices(**sizes, patient=True))
    plain, told = decoded(tmp_path / "m.gif"), decoded(tmp_path / "told.gif")
    assert len(plain) == len(told) == 4
    times = window.session.opened.run.frame_times_ms[20:24]
    np.testing.assert_allclose([t for t, _ in plain], times - times[0], atol=5.1)
    for (_, one), (_, other) in zip(plain, told, strict=True):
        differ = np.abs(one.astype(int) - other).max(axis=2) > 30
        assert differ[:80, :250].any()
        assert not differ[80:].any()
        strip = one[512:].astype(int)
        assert len(strip) > 30
        assert (strip[:, :, 1] - strip[:, :, 0] > 40).any()


@pytest.mark.parametrize("what", ["export_labels", "export_measures"])
def test_what_was_asked_of_a_run_is_not_exported_of_the_next_one(
    qtbot, make_window, run_file, other_run_file, tmp_path, monkeypatch, what
):
    window = make_window(run_file)
    window.session.labelling.place(40.0, 40.0)
    path = tmp_path / "out.csv"

    def ask(*_):
        window.session.library.open_paths([other_run_file])
        qtbot.waitUntil(lambda: window.session.opened.run.path == other_run_file)
        return path, "csv"

    monkeypatch.setattr("app.window.exporting.ask_file", ask)
    told = []
    window.session.warned.connect(told.append)
    window.commander.do(what)
    assert not path.exists() and any("Another run" in one for one in told)
    qtbot.waitUntil(lambda: window.session.leaving.done, timeout=20000)
