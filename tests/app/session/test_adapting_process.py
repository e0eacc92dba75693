"""What the window starts ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from inference.simulation import Scenario, simulate_run
from inference.simulation.dicom import write_dicom

ROOT = Path(__file__).resolve().parents[3]
PARENT = """
import subprocess, sys
from pathlib import Path
from app.session.adapting import adapting_arguments
command = [sys.executable, *adapting_arguments(Path(sys.argv[1]), "mine")]
subprocess.Popen(command, stdin=subprocess.PIPE).wait()
"""


@pytest.mark.slow
def test_adapting_ends_with_a_killed_window_and_leaves_nothing(tmp_path):
    run = simulate_run(3, Scenario.LOW_DOSE, frame_count=14, size=192)
    write_dicom(run, tmp_path / "run.dcm")
    command = [sys.executable, "-c", PARENT, str(tmp_path / "run.dcm")]
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert "share" in parent.stdout.readline()
        parent.send_signal(signal.SIGKILL)
        # The child holds the same output: the end of it is the end of the child.
        assert "scores" not in parent.stdout.read()
    assert not [path for path in tmp_path.glob("data/**/*") if path.is_file()]
