"""Gestures become edits, on the frames that were meant."""

MARKED_SPANS = [
    ([(3, "start"), (9, "end")], (3, 9)),
    ([(9, "start"), (3, "end")], (3, 9)),  # marked backward
    ([(9, "end"), (3, "start")], (3, 9)),
    ([(3, "end"), (9, "start")], (3, 9)),
    ([(3, "start"), (9, "end"), (5, "start")], (5, 9)),
    ([(3, "start"), (9, "end"), (5, "end")], (3, 5)),
    ([(3, "start"), (9, "end"), (12, "start"), (15, "end")], (12, 15)),
    ([(6, "start"), (9, "end"), (4, "end"), (2, "start")], (2, 4)),
    ([(6, "start"), (6, "end")], (6, 6)),
]


def test_a_span_is_what_lies_between_its_two_marks(make_window, run_file):
    session = make_window(run_file).session
    for marks, span in MARKED_SPANS:
        session.labelling.drop_span()
        for frame, mark in marks:
            session.playback.seek(frame)
            getattr(session.labelling, f"{mark}_span")()
        assert session.labelling.span == span, marks
