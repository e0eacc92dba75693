"""Several runs side by side: which is worked on, how the others follow, and that none is lost."""

import threading
from dataclasses import replace

import numpy as np
import pydicom
import pytest

from app.runs.run import Ecg, Window
from app.session.look import Comparison
from app.session.synchrony import Sync, matching_frame, same_part
from app.tracks.store import saved_labels
from inference.heart.phase import HeartPhase


def open_in(qtbot, session, index, path):
    """Turn to a place and open a run there, as a drop does."""
    session.activate(index)
    with qtbot.waitSignal(session.run_changed):
        session.library.open_run(path)


@pytest.fixture
def two(qtbot, make_session, run_file, other_run_file):
    """A session with a run of 20 frames in the first place, one of 12 in the active second."""
    session = make_session(run_file)
    session.set_places(2)
    open_in(qtbot, session, 1, other_run_file)
    return session


def names(session):
    return [None if p.opened is None else p.opened.run.path.name for p in session.places.all]


def timed(opened, times_ms, r_waves_ms=()):
    """Let a run that is open have other times, and R waves."""
    ecg = Ecg(np.zeros(4, np.float32), 100.0, r_wave_times_ms=r_waves_ms)
    times_ms = np.asarray(times_ms, np.float64)[: opened.run.frame_count]
    opened.run = replace(opened.run, frame_times_ms=times_ms, ecg=ecg)


def retimed(session, step_ms, other_step_ms, r_waves_ms=(), other_r_waves_ms=()):
    """Give the run of the first place, then that of the second, other times; the first is active.

    Returns the place of the second.
    """
    timed(session.places.all[0].opened, np.arange(20) * step_ms, r_waves_ms)
    timed(session.opened, np.arange(12) * other_step_ms, other_r_waves_ms)
    session.places.set_sync(Sync.OFF)
    session.places._axes.clear()
    session.heart._known.clear()
    session.activate(0)
    session.places.set_sync(Sync.TIME)
    return session.places.all[1]


def test_the_run_that_is_left_stays_and_the_other_one_is_worked_on(two, run_file, other_run_file):
    session = two
    assert names(session)[:2] == ["run.dcm", None]
    assert session.opened.run.path == other_run_file
    session.look.change(comparison=Comparison.WIPE, place=(2.0, 30.0, 40.0))
    look = session.look.now
    session.activate(0)
    assert session.opened.run.path == run_file
    assert names(session)[:2] == [None, "other.dcm"]
    assert session.places.all[1].look.now == look
    session.look.change_grey(voi=Window(100.0, 50.0))
    assert session.places.all[1].look.now == look
    session.activate(1)
    assert session.look.now == look
    assert session.places.all[0].look.now.grey.voi == Window(100.0, 50.0)
    session.activate(7)  # there is no such place
    assert session.places.active == 1


def test_going_round_the_places(two):
    two.set_places(4)
    active = []
    for steps in (1, 1, 1, 1, -1, -1):
        two.activate_next(steps)
        active.append(two.places.active)
    assert active == [2, 3, 0, 1, 0, 3]


def test_what_holds_for_all_runs_holds_in_all_places(two):
    two.look.change(patient=False, corners=False, trails=False, tracks=False)
    for place in two.places.all:
        look = place.look.now
        assert not (look.patient or look.corners or look.trails or look.tracks)
    two.settings.change(show_patient=False)
    two.settings.change(show_patient=True)
    assert all(place.look.now.patient for place in two.places.all)


@pytest.mark.parametrize(
    ("sync", "step_ms", "other_step_ms", "expected"),
    [
        (Sync.FRAME, 50.0, 100.0, {3: 3, 11: 11, 15: 11}),
        (Sync.TIME, 50.0, 100.0, {2: 1, 10: 5, 19: 9}),
        (Sync.TIME, 100.0, 50.0, {0: 0, 3: 6, 9: 11}),
        (Sync.TIME, 33.33, 33.3333, {19: 11, 11: 11, 7: 7}),
    ],
)
def test_the_other_run_follows(two, sync, step_ms, other_step_ms, expected):
    place = retimed(two, step_ms, other_step_ms)
    two.places.set_sync(sync)
    for frame, other in expected.items():
        two.playback.seek(frame)
        assert abs(place.playback.frame - other) <= (1 if frame == 19 and step_ms == 50.0 else 0)


def test_each_goes_by_itself_where_nothing_is_synchronised(two):
    place = retimed(two, 50.0, 50.0)
    two.places.set_sync(Sync.OFF)
    before = place.playback.frame
    two.playback.seek(9)
    assert place.playback.frame == before
    told = []
    two.said.connect(told.append)
    two.places.shift(1)
    assert told == ["The runs are not synchronised, so each moves by itself."]
    assert two.playback.frame == 9


def test_runs_follow_by_the_phase_of_the_heart_beat_after_beat(two):
    # beats of 4 frames from frame 2 on; of 3 frames from frame 0 on
    place = retimed(two, 100.0, 100.0, (200.0, 600.0, 1000.0), (0.0, 300.0, 600.0, 900.0))
    two.places.set_sync(Sync.PHASE)
    for frame in (2, 6, 10, 14, 18):  # more beats than the other run has
        two.playback.seek(frame)
        assert place.playback.frame % 3 == 0
    others = []
    for frame in range(2, 7):
        two.playback.seek(frame)
        others.append(place.playback.frame - others[0] if others else place.playback.frame)
    assert others[1:] in ([1, 1, 2, 3], [1, 2, 2, 3])


def test_a_run_whose_beats_nobody_finds_stands_by_itself_and_it_is_said(qtbot, two, monkeypatch):
    monkeypatch.setattr("inference.heart.from_pictures.phase_from_pictures", lambda *_, **__: None)
    told = []
    two.said.connect(told.append)
    place = retimed(two, 100.0, 100.0, (200.0, 600.0))
    before = place.playback.frame
    two.places.set_sync(Sync.PHASE)
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[1] == "Neither an ECG nor the pictures of other.dcm show a heart beat."
    two.playback.seek(15)
    assert place.playback.frame == before
    assert not two.places.follows(place.opened)
    two.activate(1)  # and nobody follows one whose beats are unknown
    assert not two.places.follows(two.places.all[0].opened)
    assert len(told) == 2


def test_heart_beats_are_looked_for_in_the_pictures(qtbot, two, monkeypatch):
    def found(read, times_ms, should_stop):
        beats = np.arange(len(times_ms)) / (8 if len(times_ms) == 20 else 4)
        return HeartPhase(beats % 1.0, (0.0,), 800.0, False, 0.9)

    monkeypatch.setattr("inference.heart.from_pictures.phase_from_pictures", found)
    place = retimed(two, 100.0, 100.0)
    two.places.set_sync(Sync.PHASE)
    assert not two.places.follows(place.opened)
    two.playback.seek(8)
    qtbot.waitUntil(lambda: two.places.follows(place.opened))
    assert place.playback.frame == 4


def test_looking_for_beats_ends_with_the_run(qtbot, two, monkeypatch):
    stopped = threading.Event()

    def never(read, times_ms, should_stop):
        while not should_stop():
            stopped.wait(0.01)
        stopped.set()

    monkeypatch.setattr("inference.heart.from_pictures.phase_from_pictures", never)
    retimed(two, 100.0, 100.0, (200.0, 600.0))
    two.places.set_sync(Sync.PHASE)
    two.set_places(1)
    assert stopped.wait(5)


@pytest.mark.parametrize(
    ("axis", "value", "frame"),
    [
        (np.arange(9) / 4, 1.9, 8),
        (np.arange(9) / 4, 2.5, 2),  # two beats are gone through again
        (np.arange(9) / 4, -0.25, 7),
        (np.arange(9) / 4 + 0.1, 0.0, 8),
        (np.arange(4) / 8, 5.3, 2),  # half a beat: the nearest phase
        (np.arange(4) / 8, -0.1, 0),
    ],
)
def test_the_nearest_frame_of_the_same_phase(axis, value, frame):
    assert matching_frame(axis, value, cyclic=True) == frame


def test_keys_move_the_active_run_and_the_others_stand(two):
    place = retimed(two, 50.0, 100.0)
    two.playback.seek(6)
    assert place.playback.frame == 3
    two.places.shift(1)
    two.places.shift(1)
    assert (two.playback.frame, place.playback.frame) == (8, 3)
    assert two.places.shift_text(0) == "+100 ms"
    two.playback.seek(12)
    assert place.playback.frame == 5
    two.activate(1)  # who leads makes no difference
    two.playback.seek(4)
    assert two.places.all[0].playback.frame == 10
    two.places.align()
    assert two.places.all[0].playback.frame == 8
    assert two.places.shift_text(0) == ""


def test_a_shift_goes_with_the_run_that_it_was_meant_for(qtbot, two, other_run_file):
    retimed(two, 50.0, 100.0)
    two.places.shift(1)
    two.activate(1)
    assert two.places.shift_text(0) == "+50 ms"
    two.activate(0)
    open_in(qtbot, two, 0, other_run_file)
    assert two.places.shift_text(0) == ""


def test_turning_to_another_place_moves_nothing(two):
    place = retimed(two, 50.0, 50.0)
    two.playback.seek(19)  # the other run has ended long before
    assert place.playback.frame == 11
    two.activate(1)
    assert (two.places.all[0].playback.frame, two.playback.frame) == (19, 11)


def test_a_run_that_comes_beside_another_begins_where_that_one_is(
    qtbot, make_session, run_file, other_run_file
):
    session = make_session(run_file)
    session.playback.seek(7)
    session.set_places(2)
    session.places.set_sync(Sync.FRAME)
    open_in(qtbot, session, 1, other_run_file)
    assert session.playback.frame == 7
    assert session.places.all[0].playback.frame == 7


def test_playing_goes_on_in_the_place_that_is_turned_to(qtbot, two):
    place = retimed(two, 20.0, 20.0)
    two.playback.play()
    qtbot.waitUntil(lambda: place.playback.frame > 2)
    two.activate(1)
    assert two.playback.playing
    seen = set()
    two.places.all[0].playback.frame_changed.connect(seen.add)
    qtbot.waitUntil(lambda: len(seen) > 3)
    two.playback.pause()


def test_a_faster_run_is_shown_between_the_frames_of_the_one_it_follows(qtbot, two):
    place = retimed(two, 60_000.0, 20.0)
    seen = []
    place.playback.frame_changed.connect(seen.append)
    two.playback.seek(0)
    seen.clear()
    two.playback.play()
    qtbot.waitUntil(lambda: len(seen) > 3)
    assert two.playback.frame == 0
    assert two.places._between.interval() == 10  # twice a frame
    two.playback.set_speed(0.5)
    assert two.places._between.interval() == 20
    two.playback.pause()
    assert not two.places._between.isActive()


def test_zoom_is_linked_on_demand_also_between_pictures_of_other_sizes(two):
    two.activate(0)  # 128 x 128 beside 96 x 96
    place = two.places.all[1]
    two.look.change(place=(3.0, 63.5, 31.5))
    assert place.look.now.place is None
    two.places.toggle_linked()
    assert place.look.now.place == pytest.approx((4.0, 47.5, 23.5))
    two.look.change(place=None)
    assert place.look.now.place is None
    two.places.toggle_linked()
    two.look.change(place=(3.0, 63.5, 31.5))
    assert place.look.now.place is None


def test_the_same_part_is_shown_of_a_picture_of_another_shape(two):
    run = replace(two.opened.run, columns=100, rows=50)
    other = replace(run, columns=200, rows=25)
    assert same_part((4.0, 9.5, 9.5), run, other) == pytest.approx((2.0, 19.5, 4.5))
    assert same_part(None, run, other) is None


def test_the_same_run_twice_is_one_run_with_two_looks(qtbot, two, run_file):
    first = two.places.all[0]
    two.library.open_run(run_file)
    qtbot.waitUntil(lambda: two.opened is first.opened)
    assert not two.opened.store.read_only
    two.look.change_grey(inverted=True)
    assert not first.look.now.grey.inverted
    two.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: two.worker.idle)
    opened = two.opened
    two.open(None)
    assert opened.cache.wait(3) is not None  # it is still seen
    two.activate(0)
    assert two.opened is opened
    assert len(two.opened.labels.tracks) == 1


def test_a_run_opens_in_the_place_that_asked_for_it(
    qtbot, make_session, run_file, other_run_file, monkeypatch
):
    from app.session import library

    session, gate, open_labelled = make_session(run_file), threading.Event(), library.open_labelled
    monkeypatch.setattr(library, "open_labelled", lambda *a: gate.wait(5) and open_labelled(*a))
    session.set_places(2)
    session.activate(1)
    session.library.open_run(other_run_file)
    session.activate(0)
    gate.set()
    qtbot.waitUntil(lambda: session.opened is not None and session.places.active == 1)
    assert session.opened.run.path == other_run_file
    assert names(session)[0] == "run.dcm"


def test_tracking_goes_on_in_a_place_that_is_left(qtbot, two, engines):
    two.activate(0)
    engines[0].gate.clear()
    two.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    two.activate(1)
    engines[0].gate.set()
    labels = two.places.all[0].opened.labels
    qtbot.waitUntil(lambda: not labels.pending)
    assert len(labels.tracks[0].points) == 20
    assert two.places.all[0].opened.cache.wait(3) is not None  # tracked, and still seen
    two.activate(0)
    two.labelling.place(61.0, 51.0, frame=10)
    qtbot.waitUntil(lambda: two.worker.idle)
    assert two.opened.labels.tracks[0].points[10].x == 61.0


def test_a_run_that_is_taken_away_while_it_is_tracked_is_closed_after_that(qtbot, two, engines):
    two.activate(0)
    engines[0].gate.clear()
    two.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: len(engines[0].asked) == 1)
    two.activate(1)
    gone = two.places.all[0].opened
    two.set_places(1)
    assert gone.cache.wait(3) is not None
    engines[0].gate.set()
    qtbot.waitUntil(lambda: not gone.labels.pending and two.leaving.done)
    qtbot.waitUntil(lambda: gone.store.unsaved == 0)
    assert len(saved_labels(gone.run).tracks[0].points) == 20


@pytest.mark.parametrize(
    ("active", "count", "worked_on", "seen"),
    [(0, 1, "run.dcm", 0), (1, 1, "other.dcm", 0), (3, 1, "run.dcm", 0), (1, 2, "other.dcm", 1)],
)
def test_fewer_places_keep_the_run_that_is_worked_on(two, active, count, worked_on, seen):
    two.set_places(4)
    two.activate(active)
    two.set_places(count)
    assert (two.opened and two.opened.run.path.name) == worked_on
    assert two.places.active < count
    assert len(two.places.seen) == seen
    assert two.settings.now.places == count


@pytest.mark.parametrize(
    ("machine_mb", "each_mb", "then_mb"), [(3, 1.5, 1), (1, 1, 0.5), (64, 2, 1)]
)
def test_memory_is_shared_where_the_machine_has_not_enough_for_all(
    qtbot, make_session, run_file, other_run_file, monkeypatch, machine_mb, each_mb, then_mb
):
    from app.session import session as module

    monkeypatch.setattr(module, "allowed_bytes", lambda stored: machine_mb << 20)
    session = make_session(run_file, frame_memory_mb=2, denoised_memory_mb=2, places=2)
    assert session.places.count == 2
    assert session.opened.cache._budget_bytes == 2 << 20
    open_in(qtbot, session, 1, other_run_file)
    runs = [session.opened, session.places.all[0].opened]
    assert [run.cache._budget_bytes for run in runs] == [each_mb * (1 << 20)] * 2
    assert session.places.all[0].denoising._budget_bytes == each_mb * (1 << 20)
    session.settings.change(frame_memory_mb=1)
    assert [run.cache._budget_bytes for run in runs] == [then_mb * (1 << 20)] * 2
    session.set_places(1)
    assert session.opened.cache._budget_bytes == 1 << 20


def test_a_number_of_places_that_there_is_not_gives_one(make_session):
    assert make_session(places=3).places.count == 1
    assert make_session(places=4, sync="nonsense").places.sync is Sync.TIME


def test_the_run_that_is_worked_on_is_denoised_before_the_others(two, monkeypatch):
    asked = []
    monkeypatch.setattr(two.worker, "denoise", asked.append)
    two.look.change(comparison=Comparison.DENOISED)
    two.activate(0)
    assert [(job.key.split()[0], job.behind) for job in asked] == [
        (two.places.all[1].opened.key, False),
        (two.places.all[1].opened.key, True),
    ]


def test_denoised_frames_go_along(qtbot, two, engines):
    two.look.change(comparison=Comparison.DENOISED)
    qtbot.waitUntil(lambda: bool(two.denoising.ready().all()))
    two.activate(0)
    place = two.places.all[1]
    assert place.denoising.ready().all()
    assert len(engines[1].order) == 12  # nothing is computed again
    two.look.change(comparison=Comparison.DENOISED)
    qtbot.waitUntil(lambda: bool(two.denoising.ready().all()))
    two.activate(1)
    assert two.denoising.ready().all()
    assert len(engines[1].order) == 32
    two.denoising.set_weights("adapted")
    two.adapting.choice_changed.emit([], "")
    assert two.places.all[0].denoising.weights == "adapted"


def test_the_track_that_is_selected_stays_so_in_each_place(qtbot, two):
    for _ in range(3):
        two.labelling.add_track()
    track = two.opened.labels.tracks[1].id
    two.labelling.select(track)
    two.activate(0)
    assert two.labelling.selected is None
    two.activate(1)
    assert two.labelling.selected.id == track


def test_all_that_was_labelled_in_any_place_is_there_after_closing(
    qtbot, two, make_session, run_file, other_run_file
):
    two.labelling.place(40.0, 30.0)
    qtbot.waitUntil(lambda: two.worker.idle)
    two.activate(0)
    two.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: two.worker.idle)
    two.playback.seek(9)
    two.activate(1)
    assert two.close()
    again = make_session(run_file)
    assert again.opened.labels.tracks[0].points[0].x == 60.0
    assert again.playback.frame == 9
    again.library.open_run(other_run_file)
    qtbot.waitUntil(lambda: again.opened is not None and again.opened.run.frame_count == 12)
    assert again.opened.labels.tracks[0].points


def test_what_cannot_be_saved_in_any_place_keeps_the_session_open(qtbot, two, monkeypatch):
    from app.tracks import records

    gate, write = threading.Event(), records.write
    two.activate(0)
    two.labelling.place(60.0, 50.0)
    qtbot.waitUntil(lambda: two.worker.idle)
    monkeypatch.setattr(records, "write", lambda *args: (gate.wait(), write(*args)))
    two.labelling.place(61.0, 50.0)
    qtbot.waitUntil(lambda: two.worker.idle)
    two.activate(1)
    assert not two.close()
    gate.set()
    qtbot.waitUntil(lambda: two.leaving.done)
    assert two.close()


def test_the_other_plane_of_a_biplane_run_comes_by_itself(qtbot, make_session, run_file):
    folder = run_file.parent
    uid = pydicom.uid.generate_uid()
    for name, plane in (("a.dcm", "BIPLANE A"), ("b.dcm", "BIPLANE B")):
        dataset = pydicom.dcmread(run_file)
        dataset.SOPInstanceUID = pydicom.uid.generate_uid()
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.ImageType = ["ORIGINAL", "PRIMARY", plane]
        dataset.StudyInstanceUID = uid
        dataset.save_as(folder / name)
    session = make_session()
    with qtbot.waitSignal(session.run_changed):
        session.library.open_paths([folder])
    qtbot.waitUntil(lambda: session.library.other_plane(folder / "a.dcm") is not None)
    assert session.opened.run.path.name == "a.dcm"
    session.set_places(2)
    qtbot.waitUntil(lambda: session.opened is not None and session.places.active == 1)
    assert names(session)[0] == "a.dcm"
    assert session.opened.run.path.name == "b.dcm"
    session.set_places(4)  # it is there already
    assert session.places.active == 1
