from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import UserError
from app.tracks.formats import FORMATS, FormatError, LabelFile, label_file, read_labels
from app.tracks.formats.label_file import make_point, make_track
from app.tracks.importing import ImportChoices, preview_import
from app.tracks.labels import Labels
from app.tracks.track import PointSource, TrackKind, TrackPoint
from resources import resource_path

from .conftest import a_run, content, tracks, two_tracks

V1_POINT = {
    "frame": 3,
    "x": 1.5,
    "y": 2.5,
    "state": "visible",
    "source": "tracked",
    "confidence": 0.4,
}

V2 = TrackPoint(2, 1.5, 2.5, source=PointSource.TRACKED, confidence=0.4)


def schema(version: int) -> dict:
    name = f"fluorotrace-tracks-{version}.schema.json"
    found = json.loads(resource_path("schemas", name).read_text())
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_back_what_it_got(labels, tmp_path, name):
    path = tmp_path / f"labels{FORMATS[name].suffix}"
    FORMATS[name].write(path, labels)
    assert content(FORMATS[name].read(path).tracks) == content(labels.tracks)
    assert content(read_labels(path).tracks) == content(labels.tracks)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=60, deadline=None)
@given(drawn=tracks())
def test_any_tracks_come_back_from_every_format(name, drawn):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"labels{FORMATS[name].suffix}"
        FORMATS[name].write(path, label_file(a_run(Path(folder) / "run.dcm"), drawn))
        read = read_labels(path)
    assert Counter(map(repr, content(read.tracks))) == Counter(map(repr, content(drawn)))
    assert content(read.tracks) == content(drawn)


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_names_the_patient(labels, tmp_path, name):
    path = tmp_path / "labels"
    FORMATS[name].write(path, labels)
    text = path.read_text().lower()
    assert not any(word in text for word in ("doe", "jane", "4711", "1950"))


@pytest.mark.parametrize("name", ["json", "coco"])
def test_the_run_comes_back(labels, tmp_path, name):
    path = tmp_path / "labels.json"
    FORMATS[name].write(path, labels)
    run = read_labels(path).run
    assert run == labels.run
    assert (run.path, run.frames, run.rows, run.columns) == ("run 1.dcm", 30, 512, 640)
    assert run.spacing_mm == (0.2, 0.21)


def test_json_is_what_the_schema_says(labels, tmp_path):
    path = tmp_path / "labels.json"
    FORMATS["json"].write(path, labels)
    document = json.loads(path.read_text())
    jsonschema.validate(document, schema(2))
    assert document["version"] == 2
    catheter, wire = document["tracks"]
    assert (catheter["weights"], wire["weights"]) == ("FIMAE 2", "")
    confirmed = {p["frame"]: p["confirmed"] for p in catheter["points"]}
    assert confirmed == {2: True, 3: False, 4: True, 5: False, 7: False, 8: True}
    for wrong in (
        {"state": "floating"},
        {"x": None},
        {"confidence": 1.5},
        {"frame": -1},
        {"state": "absent"},
        {"confirmed": "yes"},
        {"moved": True},
    ):
        spoiled = json.loads(path.read_text())
        spoiled["tracks"][0]["points"][0].update(wrong)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema(2))


def test_version_1_is_still_read(tmp_path):
    document = {
        "format": "fluorotrace-tracks",
        "version": 1,
        "run": {
            "path": "run.dcm",
            "sop_instance_uid": None,
            "frames": 9,
            "rows": 8,
            "columns": 7,
            "frame_times_ms": [0.0, 1.0],
            "spacing_mm": None,
            "spacing_source": None,
        },
        "tracks": [
            {
                "name": "a",
                "kind": "balloon marker",
                "points": [
                    V1_POINT,
                    V1_POINT | {"frame": 4, "source": "clicked", "confidence": None},
                    V1_POINT | {"frame": 5, "source": "imported", "confidence": None},
                    V1_POINT | {"frame": 6, "source": "interpolated", "confidence": None},
                ],
            }
        ],
    }
    jsonschema.validate(document, schema(1))
    path = tmp_path / "old.json"
    path.write_text(json.dumps(document))
    file = read_labels(path)
    (track,) = file.tracks
    assert (track.name, track.kind, track.weights) == ("a", TrackKind.BALLOON_MARKER, "")
    assert track.points[3] == TrackPoint(3, 1.5, 2.5, source=PointSource.TRACKED, confidence=0.4)
    assert [p.confirmed for p in track.marked_points] == [False, True, True, False]
    assert (file.run.frames, file.run.rows, file.run.columns) == (9, 8, 7)


def test_a_newer_version_is_said_to_be_newer(tmp_path):
    path = tmp_path / "new.json"
    path.write_text('{"format": "fluorotrace-tracks", "version": 3, "tracks": {"not": "ours"}}')
    with pytest.raises(FormatError, match="newer version; update"):
        read_labels(path)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("tip \ud83d", "tip"),
        ("\udcff\ud800", "other"),
        ("a\0b\x1b[31m\nc", "a b [31m c"),
        ("x" * 100_000, "x" * 200),
        ("  \u2028 ", "other"),
        ("Führungsdraht ⌀", "Führungsdraht ⌀"),
    ],
)
@pytest.mark.parametrize("form", ["json", "coco"])
def test_names_that_nothing_can_hold_are_mended(tmp_path, name, kept, form):
    path = tmp_path / "labels.json"
    if form == "json":
        tracks = [{"name": name, "kind": "other", "points": [V1_POINT]}]
        text = json.dumps({"format": "fluorotrace-tracks", "version": 1, "tracks": tracks})
    else:
        text = json.dumps(
            {
                "images": [{"id": 1, "file_name": "a_1.png"}],
                "categories": [{"id": 1, "name": "other", "keypoints": [name]}],
                "annotations": [{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 2]}],
            }
        )
    path.write_text(text, "utf-8")
    (track,) = read_labels(path).tracks
    assert track.name == kept
    assert len(track.points) == 1
    track.name.encode()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "frame,x,y\n1,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,one,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,inf,2,3\n"),
        ("a.csv", "track,frame,x,y\nleft,1,,\n"),
        ("a.csv", "track,frame,x,y\nleft,1,nan,2\n"),
        ("a.csv", "track,frame,x,y\nleft,-1,1,2\n"),
        ("a.csv", "track,frame,x,y\nleft,1.5,1,2\n"),
        ("a.csv", "track,frame,x,y\nleft,1,1,2\nleft,1,3,2\n"),
        ("a.csv", "track,frame,x,y,state\nleft,1,1,2,floating\n"),
        ("a.csv", "track,frame,x,y,confirmed\nleft,1,1,2,perhaps\n"),
        ("a.csv", 'track,frame,x,y\nleft,1,"1.234,5",2\n'),
        ("a.csv", "track,frame,x,y\nleft,1\n"),
        ("a.csv", "track,frame,x,y\n" + "x" * 200_000 + ",1,1,2\n"),
        ("a.csv", ""),
        ("a.json", ""),
        ("a.json", "[1, 2]"),
        ("a.json", "{}"),
        ("a.json", "[" * 100_000),
        ("a.json", '{"format": "fluorotrace-tracks", "version": ' + "9" * 5000 + "}"),
        ("a.json", '{"format": "fluorotrace-tracks", "version": true, "tracks": []}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 0, "tracks": []}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 1, "tracks": 5}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 1, "tracks": [{"name": "a"}]}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 2, "tracks": [], "run": 5}'),
        ("a.json", '{"format": "fluorotrace-tracks", "version": 2, "tracks": [], "run": {}}'),
        ("a.json", '{"images": [], "categories": [], "annotations": [{"image_id": 1}]}'),
        ("a.json", '{"images": 3, "categories": [], "annotations": []}'),
        ("a.json", '{"images": [], "categories": [], "annotations": {"a": 1}}'),
        ("a.json", '{"images": [{"id": [1]}], "categories": [], "annotations": []}'),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        read_labels(path)
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    assert not any(word in said for word in ("Error", "NoneType", "'", "0x"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"x": "1e400"},
        {"x": 10**400},
        {"x": float("nan")},
        {"x": True},
        {"x": [1]},
        {"frame": None},
        {"frame": 1e400},
        {"frame": "x"},
        {"confidence": -0.1},
        {"confidence": "sure"},
        {"state": 5},
        {"source": {"a": 1}},
        {"confirmed": 7},
    ],
)
def test_a_wrong_value_is_one_sentence(tmp_path, wrong):
    path = tmp_path / "a.json"
    tracks = [{"name": "a", "kind": "other", "points": [V1_POINT | wrong]}]
    text = json.dumps({"format": "fluorotrace-tracks", "version": 2, "run": None, "tracks": tracks})
    path.write_text(text)
    with pytest.raises(FormatError, match=r"^A point .*\.$"):
        read_labels(path)


def test_bytes_are_no_labels(tmp_path):
    for name in ("a.json", "a.csv"):
        path = tmp_path / name
        path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x81")
        with pytest.raises(FormatError, match="not a text file"):
            read_labels(path)


def test_what_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(FormatError, match="too large"):
        read_labels(path)


def test_a_folder_or_a_missing_file_is_one_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(UserError):
            read_labels(path)


def test_a_file_of_an_odd_name_is_named_as_well_as_one_can(tmp_path):
    path = tmp_path / "caf\udce9.json"
    path.write_text("[]")
    with pytest.raises(FormatError) as caught:
        read_labels(path)
    str(caught.value).encode()


def test_a_run_of_an_odd_name_is_written(tmp_path):
    run = a_run(tmp_path / "caf\udce9.dcm")
    for name, fmt in FORMATS.items():
        path = tmp_path / f"{name}{fmt.suffix}"
        fmt.write(path, label_file(run, two_tracks()))
        path.read_text("utf-8")
        assert "\\ud" not in path.read_text("utf-8")


def test_a_failed_export_leaves_the_old_file(labels, tmp_path):
    path = tmp_path / "labels.json"
    path.write_text("old")
    broken = replace(labels.tracks[0], points={0: TrackPoint(0, float("nan"), 1.0)})
    with pytest.raises(ValueError, match="JSON"):
        FORMATS["json"].write(path, LabelFile(labels.run, (broken,)))
    assert path.read_text() == "old"
    with pytest.raises(FormatError, match="COCO needs the run"):
        FORMATS["coco"].write(path, LabelFile(None, labels.tracks))


def test_the_attackers_name_is_mended(shared_data):
    path = shared_data / "field_cases" / "attacks" / "surrogate_name.json"
    (track,) = read_labels(path).tracks
    assert track.name == "tip"


ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: object, at: tuple = ()) -> list[tuple]:
    """Return the way to every value within a JSON document."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    return [at, *(place for key, each in inside for place in places(each, (*at, key)))]


@pytest.mark.parametrize("name", ["json", "coco"])
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_a_spoiled_file_is_read_or_refused_in_a_sentence(name, data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.json"
        run = a_run(Path(folder) / "run.dcm", frame_count=3)
        FORMATS[name].write(path, label_file(run, (make_track("a", "other", [V2], 0),)))
        document = json.loads(path.read_text())
        *way, last = data.draw(st.sampled_from(places(document)[1:]))
        within = document
        for key in way:
            within = within[key]
        within[last] = data.draw(ANYTHING)
        path.write_text(json.dumps(document))
        try:
            read = read_labels(path)
        except FormatError as error:
            assert str(error).endswith(".")
            return
        for choices in (ImportChoices(), ImportChoices(first_number=1)):
            Labels(3).apply(preview_import(read, run, (), choices).edit)
        FORMATS["csv"].write(Path(folder) / "again.csv", read)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('a1,;\t\n"-.é\0'), max_size=40), st.sampled_from(",;\t"))
def test_any_table_is_read_or_refused_in_a_sentence(rows, delimiter):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.csv"
        heading = delimiter.join(("track", "frame", "x", "y", "confirmed"))
        path.write_text(f"{heading}\n{rows}", newline="")
        try:
            read_labels(path)
        except FormatError as error:
            assert str(error).endswith(".")


def test_a_frame_number_without_end_makes_no_sentence_without_end():
    values = {"frame": 10**40, "x": 1.0, "y": "left"}
    with pytest.raises(FormatError, match="frame 1000000000 of this file"):
        make_point(values)
