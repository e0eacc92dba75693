"""Sessions whose engines need no networks."""

import pytest


@pytest.fixture
def make_session(qtbot, tmp_path, monkeypatch, engines):
    """Return a function that makes a session, with a run open in it where a path is given."""
    from app.session.session import Session
    from app.session.settings import Settings, SettingsKeeper
    from app.session.worker import InferenceWorker

    monkeypatch.setenv("FLUOROTRACE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    sessions = []

    def make(path=None, **settings):
        worker = InferenceWorker(lambda *_: engines[0], lambda *_: engines[1])
        session = Session(SettingsKeeper(Settings(**settings)), worker)
        sessions.append(session)
        if path is not None:
            with qtbot.waitSignal(session.run_changed):
                session.library.open_run(path)
        return session

    yield make
    engines[0].gate.set()
    for session in sessions:
        session.close()
