"""Key images come back as they were, and go into a report without a name on it."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QInputDialog

from app.runs.run import Window
from app.session.key_images import look_of, view_size
from app.session.look import Comparison
from app.tracks.marks import MarkKind
from app.window import key_image_views, report
from widgets.picture.corner_text import Corner


@pytest.fixture
def window(make_window, run_file):
    return make_window(run_file)


def images(window):
    return window.session.key_images.images


def test_a_key_image_brings_frame_window_zoom_and_turn_back(qtbot, window):
    look = window.session.look
    window.session.playback.seek(4)
    window.view.zoom_to(300.0)
    window.view.set_place((3.0, 40.0, 50.0))
    look.change_grey(voi=Window(70.0, 30.0), inverted=True)
    look.turn(1)
    look.change(comparison=Comparison.WIPE)
    kept = look.now
    window.commander.do("keep_image")
    window.session.playback.seek(9)
    window.commander.do("fit")
    look.change_grey(voi=None, inverted=False)
    look.turn(1)
    look.change(comparison=Comparison.ORIGINAL)
    window.hands.key_images.bring_back(images(window)[0].id)
    assert window.session.playback.frame == 4
    assert look.now == kept
    assert window.view.place == pytest.approx((3.0, 40.0, 50.0))
    assert window.view._view.turns == 1


def test_patient_data_stays_as_it_is_when_a_key_image_comes_back(window):
    window.commander.do("keep_image")
    window.session.look.change(patient=False)
    window.hands.key_images.bring_back(images(window)[0].id)
    assert not window.session.look.now.patient


def test_a_zoom_means_the_same_part_in_a_view_of_another_size(window):
    window.view.set_place((4.0, 40.0, 50.0))
    size = (window.view.width(), window.view.height())
    window.commander.do("keep_image")
    (image,) = images(window)
    doubled = look_of(
        image, window.session.opened, window.session.look.now, (2 * size[0], 2 * size[1])
    )
    assert doubled.place == pytest.approx((8.0, 40.0, 50.0))


def test_key_images_are_listed_undone_and_come_back_at_the_next_start(qtbot, make_window, run_file):
    window = make_window(run_file)
    strip = window.key_image_strip
    for frame in (2, 7):
        window.session.playback.seek(frame)
        window.commander.do("keep_image")
    assert [strip._list.item(i).text() for i in range(2)] == ["Frame 3", "Frame 8"]
    strip._list.item(0).setSelected(True)
    window.commander.do("remove_image")
    assert [image.frame for image in images(window)] == [7]
    window.commander.do("undo")
    there = images(window)
    window.close()
    again = make_window(run_file)
    assert images(again) == there
    assert again.key_image_strip._list.count() == 2


def test_values_of_a_file_that_mean_nothing_bring_back_a_plain_picture(window):
    window.commander.do("keep_image")
    (image,) = images(window)
    for values in ({}, {"view": 3}, {"view": {"size": [0, -1], "place": ["a"], "turns": "x"}}):
        broken = replace(image, values=values)
        look = look_of(broken, window.session.opened, window.session.look.now, (100, 100))
        assert look.place is None


def test_a_size_that_no_view_has_is_not_drawn(window):
    window.commander.do("keep_image")
    (image,) = images(window)
    for size in ([1, 16_000], [16, 16_000], [10**6, 10**6], [True, True], [10**400, 20]):
        assert view_size(replace(image, values={"view": {"size": size}})) is None


def test_long_words_below_a_key_image_do_not_cost_the_labels(make_window, run_file):
    window = make_window(run_file)
    window.commander.do("keep_image")
    window.session.key_images.write(images(window)[0].id, "word " * 10_000)
    (kept,) = images(window)
    assert kept.text.startswith("word word")
    window.close()
    assert images(make_window(run_file)) == (kept,)


def test_a_report_of_a_run_is_not_made_of_the_next_one(
    qtbot, window, other_run_file, tmp_path, monkeypatch
):
    keys = window.hands.key_images

    def ask(*_):
        go_to(qtbot, window, other_run_file)
        return tmp_path / "report.pdf", "pdf"

    monkeypatch.setattr(keys, "_ask_patient", lambda: False)
    monkeypatch.setattr(key_image_views, "ask_file", ask)
    told = []
    window.session.warned.connect(told.append)
    keys.save_report()
    assert keys._report is None and "Another run" in told[0]


def test_words_are_not_written_on_an_image_of_the_next_run(
    qtbot, window, other_run_file, monkeypatch
):
    window.commander.do("keep_image")
    first = window.session.opened
    window.key_image_strip._list.item(0).setSelected(True)

    def ask(*_, **__):
        go_to(qtbot, window, other_run_file)
        return "words", True

    monkeypatch.setattr(QInputDialog, "getText", ask)
    told = []
    window.session.warned.connect(told.append)
    window.commander.do("write_on_image")
    assert "Another run" in told[0]
    assert not window.session.opened.labels.marks and not first.labels.marks[0].text


def go_to(qtbot, window, path):
    window.session.library.open_paths([path])
    qtbot.waitUntil(lambda: window.session.opened.run.path == path)


def pdf_text(path) -> str:
    """Return what stands between the streams of a PDF, unpacked: enough to find plain words."""
    raw = path.read_bytes()
    assert raw.startswith(b"%PDF")
    parts = [raw.decode("latin-1")]
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", raw, re.DOTALL):
        try:
            parts.append(zlib.decompress(packed).decode("latin-1"))
        except zlib.error:
            continue
    return "\n".join(parts)


@pytest.mark.parametrize("patient", [False, True])
def test_a_report_names_the_patient_only_where_that_was_asked_for(
    qtbot, window, tmp_path, monkeypatch, patient
):
    pages, looks = [], []
    make_html = report.ReportMaker._html

    def html(self, width):
        pages.append(make_html(self, width))
        looks.append(self._pictures[0][2].patient)
        return pages[-1]

    monkeypatch.setattr(report.ReportMaker, "_html", html)
    name = window.view._corners[Corner.TOP_LEFT][0]
    window.session.measuring.draw(MarkKind.DISTANCE, 0, ((10.0, 10.0), (60.0, 10.0)), "the LAD")
    window.commander.do("keep_image")
    path = tmp_path / "report.pdf"
    window.hands.key_images.write_report(path, patient=patient)
    qtbot.waitUntil(path.exists, timeout=20000)
    (page,) = pages
    assert (name in page) is patient
    assert (window.session.opened.run.path.name in page) is patient
    assert looks == [patient]
    assert "the LAD" in page and "Frame 1" in page
    assert "no medical device" in page
    assert window.session.opened.run.path.name not in pdf_text(path)
    qtbot.waitUntil(lambda: window.hands.key_images._report is None)


def test_a_report_is_not_written_onto_the_run(qtbot, window, run_file):
    before = run_file.read_bytes()
    told = []
    window.session.failed.connect(told.append)
    window.hands.key_images.write_report(run_file, patient=False)
    qtbot.waitUntil(lambda: bool(told), timeout=20000)
    assert run_file.read_bytes() == before


def test_closing_the_window_ends_a_report(qtbot, window, tmp_path):
    window.commander.do("keep_image")
    window.hands.key_images.write_report(tmp_path / "report.pdf", patient=False)
    window.close()
    assert window.hands.key_images._report is None
    assert not (tmp_path / "report.pdf").exists()
