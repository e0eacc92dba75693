"""The run list tells what the session does with the runs."""

from widgets.panels.run_model import LabelState


def row_of(window, path):
    """Return what the list shows of a run."""
    return window.run_list._model._runs[str(path)].run


def test_the_open_run_is_marked_as_soon_as_it_has_labels(qtbot, make_window, run_file):
    window = make_window(run_file)
    qtbot.waitUntil(lambda: str(run_file) in window.run_list.run_keys())
    assert row_of(window, run_file).label_state is LabelState.NONE
    window.session.labelling.place(60.0, 50.0)
    assert row_of(window, run_file).label_state is LabelState.IN_PROGRESS
    window.commander.do("undo")
    assert row_of(window, run_file).label_state is LabelState.NONE
    window.commander.do("redo")
    assert row_of(window, run_file).label_state is LabelState.IN_PROGRESS
