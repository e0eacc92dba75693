"""The program opens no connection, starts no other program and writes in its own folders only."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inference.simulation import Scenario, simulate_run
from inference.simulation.dicom import write_dicom

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("app", "widgets", "inference", "resources", "packaging", "tests")
WATCHED = "trace=%network,execve,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2"
LOCAL = ("AF_UNIX", "AF_LOCAL", "AF_UNSPEC")
OWN = "fluorotrace"
TIP = (60.0, 50.0)


@pytest.fixture(scope="module")
def strace():
    """The command; absent on other systems than Linux, where the same code runs."""
    command = shutil.which("strace")
    if command is None:
        pytest.skip("strace is not installed, so that nobody sees what the program asks of Linux")
    return command


@pytest.fixture
def home(tmp_path):
    """Folders of a user of his own: home, tmp, and study with a noisy run."""
    for folder in ("home", "tmp", "study"):
        (tmp_path / folder).mkdir()
    run = simulate_run(3, Scenario.LOW_DOSE, frame_count=14, size=192)
    write_dicom(run, tmp_path / "study" / "run.dcm")
    return tmp_path


def watch(strace, home, *arguments):
    """Run Python in the foreign home under strace, and return the lines of what it asked for."""
    kept = ("PATH", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(home / "home"),
        "TMPDIR": str(home / "tmp"),
        "QT_QPA_PLATFORM": "offscreen",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    log = home / "strace.log"
    watched = [strace, "-f", "-qq", "-s", "4096", "-e", WATCHED, "-o", str(log)]
    done = subprocess.run(
        [*watched, sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return log.read_text("utf-8", errors="replace").splitlines()


def connections(lines):
    """Return the calls that make or use a socket which is not local to this machine."""
    made = [line for line in lines if re.match(r"\d+ +(socket|connect|sendto|bind)\(", line)]
    return [line for line in made if "AF_" in line and not any(kind in line for kind in LOCAL)]


def programs(lines):
    """Return the programs that were started beside Python itself."""
    started = re.findall(r'execve\("([^"]*)"[^\n]*= 0', "\n".join(lines))
    return [path for path in started if Path(path) != Path(sys.executable)]


def written(lines):
    """Return the paths that were opened to be written, made or put in place."""
    paths = []
    for line in lines:
        if "= -1" in line or (") = " not in line and "resumed" not in line):
            continue
        if re.search(r"\b(creat|mkdir|mkdirat|rename\w*)\(", line) or re.search(
            r"O_WRONLY|O_RDWR|O_CREAT", line
        ):
            paths += re.findall(r'"([^"]*)"', line)[-1:]
    return {Path(path) for path in paths}


def check(lines, home, *outputs):
    """Nothing but local sockets, no other program, and no file outside the program's folders."""
    assert connections(lines) == []
    assert programs(lines) == []
    allowed = [home / "tmp", *outputs, Path("/dev"), Path("/proc")]
    for path in written(lines):
        own = OWN in str(path.relative_to(home)) if path.is_relative_to(home) else False
        parent = (home / "home").is_relative_to(path) or any(
            folder.is_dir() and folder == path for folder in (home / "home").rglob("*")
        )
        assert own or parent or any(path.is_relative_to(a) for a in allowed), path
    left = [p for p in (home / "home").rglob("*") if p.is_file()]
    assert all(OWN in str(path.relative_to(home)) for path in left), left


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["denoise"], "out.npy"),
        (["track", "--tip", "60,50", "--frame", "0"], "out.json"),
        (["track", "--auto"], "out.json"),
    ],
)
def test_the_main_job_on_the_command_line(strace, home, command, output):
    target = home / "study" / output
    run = str(home / "study" / "run.dcm")
    lines = watch(strace, home, "-m", "app", command[0], run, *command[1:], "--output", str(target))
    assert target.is_file()
    check(lines, home, home / "study")


@pytest.mark.slow
def test_adapting_a_denoiser(strace, home):
    run = str(home / "study" / "run.dcm")
    lines = watch(strace, home, "-m", "app", "adapt", run, "--output", "mine", "--minutes", "0.01")
    check(lines, home)


@pytest.mark.slow
def test_the_main_job_in_the_window(strace, home):
    run = str(home / "study" / "run.dcm")
    lines = watch(strace, home, "-m", "tests.app.main_job_in_window", run, *map(str, TIP))
    assert (home / "study" / "run.dcm.fluorotrace.sqlite").is_file()
    check(lines, home, home / "study")


def test_what_is_looked_for_is_found(strace, home):
    script = (
        "import socket, subprocess; subprocess.run(['true'])\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()\n"
        f"open({str(home / 'home' / 'device_id')!r}, 'w').close()\n"
    )
    lines = watch(strace, home, "-c", script)
    assert len(connections(lines)) == 1
    assert [Path(path).name for path in programs(lines)] == ["true"]
    assert home / "home" / "device_id" in written(lines)
    with pytest.raises(AssertionError):
        check(lines, home)


def test_onnx_runtime_is_imported_below_inference_only_which_silences_it():
    silenced = "import os, inference; assert os.environ['ORT_DISABLE_TELEMETRY'] == '1'"
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", silenced], cwd=ROOT, env=environment, check=True)
    importers = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                importers.add(path.relative_to(ROOT).parts[0])
    assert importers == {"inference"}
