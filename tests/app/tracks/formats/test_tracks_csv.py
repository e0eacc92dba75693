from __future__ import annotations

import csv
from importlib import import_module

import pytest

from app.tracks.formats import FormatError, label_file, read_labels
from app.tracks.formats.label_file import make_track
from app.tracks.formats.tracks_csv import write
from app.tracks.track import PointSource, PointState, TrackKind, TrackPoint

from .conftest import content

IMPORTED = PointSource.IMPORTED


def test_the_least_columns_in_any_order(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeffframe;track;x;y\n4;left;1.5;2\n2;left;1;2\n")
    (track,) = read_labels(path).tracks
    assert track.kind is TrackKind.OTHER
    assert track.points[4] == TrackPoint(4, 1.5, 2.0, source=IMPORTED, confirmed=True)
    assert list(track.points) == [2, 4]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "track,frame,x,y\nDrähte,4,1.5,2.25\n",
        'Track,Frame,X,Y\r\n"Drähte","4","1,5","2,25"\r\n',
        "track;frame;x;y\nDrähte;4;1,5;2,25\n",
        "track;frame;x;y\rDrähte;4;1,5;2,25\r",
        "track\tframe\tx\ty\nDrähte\t4\t1.5\t2.25\n",
        "track\tframe\tx\ty\nDrähte\t4,0\t1,5\t2,25\n\n\t\t\t\n",
        "track|frame|x|y\n Drähte | 4 | 1.5 | 2.25 \n",
        "sep=;\r\ntrack;frame;x;y\r\nDrähte;4;1,5;2,25\r\n",
        "y,x,frame,note,track\n2.25,1.5,4,seen,Drähte\n",
        "track,frame,x,y\nDrähte,4,1.5,2.25,,,\n",
    ],
)
def test_common_dialects_are_read(tmp_path, text, encoding):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    (track,) = read_labels(path).tracks
    assert track.name == "Drähte"
    assert track.marked_points == [TrackPoint(4, 1.5, 2.25, source=IMPORTED, confirmed=True)]


def test_tracks_of_one_name_and_empty_ones_come_back(run, tmp_path):
    tip, empty = TrackPoint(1, 5.0, 6.0), make_track("tip", "other", [], 2)
    first = make_track("tip", "other", [tip], 0)
    second = make_track("tip", "other", [TrackPoint(1, 7.0, 8.0)], 1)
    path = tmp_path / "t.csv"
    write(path, label_file(run, (first, second, empty)))
    assert content(read_labels(path).tracks) == content((first, second, empty))


def test_two_points_of_a_track_on_one_frame_are_refused_by_name(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("track,frame,x,y\nleft,1,1,2\nleft,1,3,2\n")
    with pytest.raises(Exception, match="left in this file has two points on one frame"):
        read_labels(path)


def test_tracks_are_told_apart_by_kind_and_by_their_id(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "track,kind,frame,x,y,track_id\n"
        "a,Guidewire tip,1,1,1,7\na,catheter tip,1,2,1,7\na,catheter tip,1,3,1,8\n"
    )
    kinds = [(t.kind, t.points[1].x) for t in read_labels(path).tracks]
    wire, catheter = TrackKind.GUIDEWIRE_TIP, TrackKind.CATHETER_TIP
    assert kinds == [(wire, 1.0), (catheter, 2.0), (catheter, 3.0)]


def test_states_and_confirmation_are_read_as_people_write_them(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(
        "track,frame,x,y,state,source,confidence,confirmed\n"
        "a,0,1,1,Occluded,tracked,0.5,TRUE\na,1,,,ABSENT,tracked,0.5,no\na,2,1,1,,,0.5,false\n"
    )
    (track,) = read_labels(path).tracks
    tracked = PointSource.TRACKED
    assert track.marked_points == [
        TrackPoint(0, 1.0, 1.0, PointState.OCCLUDED, tracked, 0.5, confirmed=True),
        TrackPoint(1, None, None, PointState.ABSENT, tracked, 0.5),
        TrackPoint(2, 1.0, 1.0, source=IMPORTED),
    ]


def test_the_table_is_plain_to_other_programs(labels, tmp_path):
    path = tmp_path / "t.csv"
    write(path, labels)
    with path.open(newline="") as file:
        table = csv.DictReader(file)
        rows = list(table)
    assert ",".join(table.fieldnames) == (
        "track,kind,frame,time_ms,x,y,state,source,confidence,confirmed,weights,track_id"
    )
    assert len(rows) == 8  # the emptied frame is not written
    tracked, absent = rows[1], rows[3]
    assert (tracked["track"], tracked["kind"], tracked["frame"]) == ("tip", "catheter tip", "3")
    assert float(tracked["time_ms"]) == pytest.approx(100.0)
    assert (tracked["x"], tracked["y"], tracked["confidence"]) == ("11.0", "21.0", "0.75")
    assert (tracked["confirmed"], tracked["weights"]) == ("false", "FIMAE 2")
    assert (absent["state"], absent["x"], absent["y"]) == ("absent", "", "")
    assert [row["track_id"] for row in rows] == ["1"] * 6 + ["2"] * 2


@pytest.mark.parametrize("rows", ['"a,1,2,3\na,2,3,4\n', 'a,1,2,3\n"b,2,3,4\na,3,4,5\n'])
def test_a_quote_that_never_ends_swallows_no_rows(tmp_path, rows):
    path = tmp_path / "table.csv"
    path.write_text("track,frame,x,y\n" + rows)
    with pytest.raises(FormatError, match="not a table with labels"):
        read_labels(path)


def test_a_good_point_asks_for_no_sentence(tmp_path, monkeypatch):
    """Looking up a translation takes longer than all else that a point needs."""
    path = tmp_path / "table.csv"
    path.write_text("track,frame,x,y\n" + "".join(f"a,{k},1,2\n" for k in range(50)))
    asked = []
    monkeypatch.setattr(import_module("app.tracks.formats.label_file"), "tr", asked.append)
    (track,) = read_labels(path).tracks
    assert len(track.points) == 50
    assert asked == []
