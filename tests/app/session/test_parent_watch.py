"""What the window starts ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.session.parent_watch import WATCHED
from inference.simulation import Scenario, simulate_run
from inference.simulation.dicom import write_dicom

ROOT = Path(__file__).resolve().parents[3]
PARENT = """
import os, subprocess, sys
child = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1]],
    stdin=subprocess.PIPE,
    env={**os.environ, "FLUOROTRACE_ENDS_WITH_STDIN": "1"},
)
child.wait()
"""
CHILD = """
import sys, time
from app.session.parent_watch import end_with_parent
end_with_parent()
print("begun", flush=True)
try:
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    print("ended", flush=True)
"""


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, **options
    )


def test_a_child_ends_when_its_parent_is_killed():
    with start("-c", PARENT, CHILD) as parent:
        assert parent.stdout.readline() == "begun\n"
        parent.send_signal(signal.SIGKILL)
        # The child holds the same output: the end of it is the end of the child.
        assert parent.stdout.read() == "ended\n"


def test_nobody_else_is_ended_by_a_closed_input():
    environment = {name: value for name, value in os.environ.items() if name != WATCHED}
    script = CHILD.replace("while True:", "for _ in range(3):") + "print('whole')"
    with start("-c", script, stdin=subprocess.DEVNULL, env=environment) as child:
        assert child.stdout.read().split() == ["begun", "whole"]


@pytest.mark.slow
def test_adapting_ends_with_the_window_and_leaves_nothing(tmp_path):
    run = simulate_run(3, Scenario.LOW_DOSE, frame_count=14, size=192)
    write_dicom(run, tmp_path / "run.dcm")
    environment = {**os.environ, WATCHED: "1", "XDG_DATA_HOME": str(tmp_path / "data")}
    adapt = ["adapt", str(tmp_path / "run.dcm"), "--output", "mine", "--minutes", "60", "--json"]
    with start("-m", "app", *adapt, stdin=subprocess.PIPE, env=environment) as child:
        assert "share" in child.stdout.readline()
        child.stdin.close()
        child.wait(60)
        assert child.returncode == 130
    assert not list(tmp_path.glob("data/**/mine*"))
