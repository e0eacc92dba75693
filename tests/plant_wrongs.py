"""Plants small wrongs and tells which of them no test notices.

``python -m tests.plant_wrongs [--seed N] [--count 200] [--only PATH]`` draws wrongs by a seed,
puts each alone into a copy of the tree, and runs there the tests that touch its line, the fastest
first, until one fails. The working tree is only read. What is learned of the tests (which lines
each touches, and how long it takes) is kept in ``.wrongs/`` until the code or a test changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.wrongs.operators import OPERATORS, Wrong, wrongs_in

ROOT = Path(__file__).parents[1]
ROOMS = ("app/tracks", "app/runs", "app/session", "app/display")
KEPT = ROOT / ".wrongs"
EQUIVALENT = Path(__file__).parent / "wrongs" / "equivalent.toml"
WORKERS = 2
TEST_LIMIT_S = 60
WRONG_LIMIT_S = 600
FAILED, NOTHING_RUN = 1, 5
"""Of pytest's exit statuses."""


def main() -> int:
    """Plant wrongs; 0 where at most 5% of them survive."""
    options = _parser().parse_args()
    files = [path for path in _tree() if path.startswith(tuple(options.only or ROOMS))]
    chosen = draw([w for path in files if path.endswith(".py") for w in _wrongs(path)], options)
    with tempfile.TemporaryDirectory(prefix="wrongs-") as folder:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(WORKERS):
            copies.put(_copy(Path(folder) / str(number)))
        tests = learn_tests(Path(folder) / "0")

        def judge(wrong: Wrong) -> tuple[Wrong, str]:
            copied = copies.get()
            try:
                return wrong, plant(wrong, copied, tests)
            finally:
                copies.put(copied)

        with ThreadPoolExecutor(WORKERS) as pool:
            judged = []
            for wrong, outcome in pool.map(judge, chosen):
                judged.append((wrong, outcome))
                print(f"{len(judged)}/{len(chosen)} {outcome}: {wrong}", flush=True)  # noqa: T201
    return tell(judged)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.plant_wrongs", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draw")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="how many wrongs")
    parser.add_argument(
        "--only", action="append", metavar="PATH", help=f"a file or folder; {', '.join(ROOMS)}"
    )
    return parser


def draw(wrongs: list[Wrong], options: argparse.Namespace) -> list[Wrong]:
    """Return ``count`` wrongs drawn by the seed, of each operator as many as there can be."""
    rng = random.Random(options.seed)
    left = {name: [w for w in wrongs if w.operator == name] for name in OPERATORS}
    chosen: list[Wrong] = []
    while len(chosen) < options.count and any(left.values()):
        name = rng.choice([name for name, some in left.items() if some])
        chosen.append(left[name].pop(rng.randrange(len(left[name]))))
    return chosen


def plant(wrong: Wrong, copied: Path, tests: dict[str, list[str]]) -> str:
    """Plant a wrong in a copy of the tree, run its tests, and say what came of it."""
    if equivalent(wrong, copied):
        return "equivalent"
    room = f"tests/{Path(wrong.path).parent.as_posix()}"  # of lines that run at the import alone
    asked = tests.get(f"{wrong.path}:{wrong.line}") or tests.get(wrong.path) or [room]
    file = copied / wrong.path
    whole = file.read_bytes()
    file.write_bytes(wrong.planted_in(whole))
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=copied.parent) as names:
            names.write("\n".join(asked))
            names.flush()
            status = _pytest(
                copied, ["-x", f"--timeout={TEST_LIMIT_S}", f"@{names.name}"], WRONG_LIMIT_S
            )
    except subprocess.TimeoutExpired:
        return "survived (its tests did not end)"
    finally:
        file.write_bytes(whole)
    return "survived" if status in (0, NOTHING_RUN) else "caught"


def equivalent(wrong: Wrong, copied: Path) -> bool:
    """Tell whether a wrong is among those that change nothing."""
    line = (copied / wrong.path).read_text("utf-8").splitlines()[wrong.line - 1].strip()
    known = tomllib.loads(EQUIVALENT.read_text("utf-8")).get("equivalent", [])
    return (wrong.path, line, wrong.before, wrong.after) in {
        (each["path"], each["code"], each["before"], each["after"]) for each in known
    }


def tell(judged: Iterable[tuple[Wrong, str]]) -> int:
    """Print the survivors and their share; return the exit status."""
    judged = list(judged)
    counts = Counter(outcome.split()[0] for _, outcome in judged)
    real = len(judged) - counts["equivalent"]
    share = counts["survived"] / real if real else 0.0
    lines = [f"{outcome}: {wrong}" for wrong, outcome in judged if outcome != "caught"]
    lines.append(
        f"{counts['survived']} of {real} wrongs survive ({share:.1%}); "
        f"{counts['equivalent']} more change nothing."
    )
    print("\n".join(["", *lines]))  # noqa: T201
    return int(share > 0.05)


# the tree and its tests


def _tree() -> list[str]:
    """Return the files of the tree, tracked ones and those not yet tracked."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted(path for path in set(told.stdout.splitlines()) if (ROOT / path).is_file())


def _wrongs(path: str) -> list[Wrong]:
    return wrongs_in(path, (ROOT / path).read_bytes())


def _copy(folder: Path) -> Path:
    for path in _tree():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    return folder


def _pytest(copied: Path, arguments: list[str], limit_s: float | None) -> int:
    """Run tests in a copy of the tree and return pytest's exit status."""
    data = os.environ.get("FLUOROTRACE_DATA", str(ROOT.parent / "shared" / "data"))
    environment = os.environ | {
        "PYTHONPATH": str(copied),
        "PYTHONDONTWRITEBYTECODE": "1",  # a wrong may have the size and the second of the right
        "QT_QPA_PLATFORM": "offscreen",
        "FLUOROTRACE_DATA": data,
    }
    common = ["-q", "-p", "no:cacheprovider", "-m", "not slow", "--no-header", "--tb=no"]
    process = subprocess.Popen(
        [*arguments, *common]
        if arguments[0] == sys.executable
        else [sys.executable, "-m", "pytest", *common, *arguments],
        cwd=copied,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with _ended(process):
        return process.wait(limit_s)


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process, and those that it started, in any case."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()


def learn_tests(copied: Path) -> dict[str, list[str]]:
    """Return the tests that touch each "file:line" and each "file", the fastest first.

    Tests that fail without any wrong are left out.
    """
    code = b"".join((ROOT / p).read_bytes() for p in _tree() if p.endswith((".py", ".toml")))
    known = KEPT / f"{hashlib.sha256(code).hexdigest()[:16]}.json"
    if known.exists():
        learned: dict[str, list[str]] = json.loads(known.read_text("utf-8"))
        return learned
    data, report = copied.parent / "coverage", copied.parent / "tests.xml"
    settings = copied.parent / "coveragerc"
    settings.write_text(
        f"[run]\ndynamic_context = test_function\ndata_file = {data}\nsource = app\n"
    )
    program = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}"]
    _pytest(copied, [*program, "-m", "pytest", f"--junitxml={report}", "tests/app"], None)
    learned = _touched(copied, data, _times_s(report))
    KEPT.mkdir(exist_ok=True)
    for old in KEPT.glob("*.json"):
        old.unlink()
    known.write_text(json.dumps(learned), "utf-8")
    return learned


def _times_s(report: Path) -> dict[str, dict[str, float]]:
    """Return how long the tests of each "module.function" take that pass, by node id."""
    times: dict[str, dict[str, float]] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        if len(case.findall("failure")) + len(case.findall("error")) + len(case.findall("skipped")):
            continue
        module, name = case.attrib["classname"], case.attrib["name"]
        node = f"{module.replace('.', '/')}.py::{name}"
        function = f"{module}.{name.partition('[')[0]}"
        times.setdefault(function, {})[node] = float(case.attrib["time"])
    return times


def _touched(copied: Path, data: Path, times: dict[str, dict[str, float]]) -> dict[str, list[str]]:
    from coverage import CoverageData

    seen = CoverageData(str(data))
    seen.read()
    touched: dict[str, set[str]] = {}
    for file in seen.measured_files():
        path = Path(file).relative_to(copied).as_posix()
        for line, contexts in seen.contexts_by_lineno(file).items():
            known = {context for context in contexts if context in times}
            touched.setdefault(f"{path}:{line}", set()).update(known)
            touched.setdefault(path, set()).update(known)
    ordered = {}
    for place, functions in touched.items():
        nodes = {node: t for function in functions for node, t in times[function].items()}
        ordered[place] = sorted(nodes, key=lambda node: nodes[node])
    return ordered


if __name__ == "__main__":
    sys.exit(main())
