"""Runs are found and opened, and found again at the next start."""

from pathlib import Path


def test_a_run_is_remembered_from_wherever_the_program_starts_next(
    qtbot, make_window, run_file, monkeypatch
):
    monkeypatch.chdir(run_file.parent.parent)
    window = make_window(Path("study") / "run.dcm")
    assert window.session.opened.run.path == run_file
    assert window.session.settings.now.recent_runs == (str(run_file),)
    assert window.session.settings.now.last_folder == str(run_file.parent)
    qtbot.waitUntil(lambda: window.run_list.run_keys() == [str(run_file)])


def test_a_folder_is_remembered_likewise(qtbot, make_window, run_file, monkeypatch):
    monkeypatch.chdir(run_file.parent)
    window = make_window(Path())
    assert window.session.settings.now.recent_runs == (str(run_file),)
