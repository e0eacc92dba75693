import threading

import pytest

from app.errors import UserError, sentence
from app.session.background import Background


@pytest.fixture
def background(qtbot):
    made = Background()
    yield made
    made.close()


def test_answers_come_in_the_gui_thread(qtbot, background):
    got = []

    def work(task):
        task.report("half")
        return threading.current_thread().name

    def done(result):
        got.append((result, threading.current_thread() is threading.main_thread()))

    background.start(work, done, pytest.fail, progress=got.append)
    qtbot.waitUntil(lambda: len(got) == 2)
    assert got[0] == "half"
    assert got[1][0].startswith("background")
    assert got[1][1] is True


def test_failure_is_one_plain_sentence(qtbot, background):
    told = []

    def refuse(task):
        raise UserError("This file holds no picture; open another one.")

    def break_down(task):
        raise ValueError("bad\nworse")

    background.start(refuse, pytest.fail, told.append)
    background.start(break_down, pytest.fail, told.append)
    qtbot.waitUntil(lambda: len(told) == 2)
    assert "This file holds no picture; open another one." in told
    assert all("\n" not in text for text in told)


def test_cancelled_work_says_nothing_more(qtbot, background):
    begun, go_on, said, ended = threading.Event(), threading.Event(), [], threading.Event()

    def work(task):
        begun.set()
        go_on.wait(5)
        task.report("late")
        ended.set()

    task = background.start(work, said.append, said.append, said.append)
    begun.wait(5)
    task.cancel()
    go_on.set()
    ended.wait(5)
    qtbot.wait(50)
    assert said == []


def test_missing_file_names_the_file():
    try:
        open("/nowhere/run.dcm")  # noqa: SIM115, PTH123
    except OSError as error:
        assert sentence(error) == "/nowhere/run.dcm does not exist; check the path."
