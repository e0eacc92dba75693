"""The operators that plant wrongs: what they change, and what they leave alone."""

import ast
import random
import tomllib
from argparse import Namespace

import pytest

from tests.plant_wrongs import EQUIVALENT, ROOMS, ROOT, _tree, _wrongs, draw, equivalent, tell
from tests.wrongs.operators import wrongs_in


@pytest.mark.parametrize(
    ("code", "operator", "changed"),
    [
        ("x = a + b", "sign", "x = (a - b)"),
        ("x = -a", "sign", "x = a"),
        ("x = True", "constant", "x = False"),
        ("x = 1.5", "constant", "x = 3.0"),
        ("x = 0.0", "constant", "x = 1.0"),
        ("x = 3", "off by one", "x = 4"),
        ("x = a < b", "boundary", "x = (a <= b)"),
        ("x = a == b", "boundary", "x = (a != b)"),
        ("if a:\n    b", "negated condition", "if (not a):\n    b"),
        ("if not a:\n    b", "negated condition", "if a:\n    b"),
        ("f(a, b, c=1)", "swapped", "f(b, a, c=1)"),
        ("x = a[i, j]", "swapped", "x = a[j, i]"),
        ("x = a[:r, :c]", "swapped", "x = a[:c, :r]"),
        ("x = (rows, columns)", "swapped", "x = (columns, rows)"),
        ("f(a)", "dropped call", "pass"),
    ],
)
def test_each_operator_makes_its_wrong(code, operator, changed):
    made = [w.planted_in(code.encode()).decode() for w in wrongs_in("a.py", code.encode())]
    named = [w.operator for w in wrongs_in("a.py", code.encode())]
    assert (operator, changed) in list(zip(named, made, strict=True))


@pytest.mark.parametrize(
    "code",
    [
        'x: dict[int, str] = y\ndef f(a: Literal[1, 2]) -> tuple[int, int]: """Say 1 + 2."""',
        "log.info('a', b)",
        "@dataclass(frozen=True)\nclass A: pass",
        "if TYPE_CHECKING:\n    f(1, 2)",
        "x = f(a, a)",
        "x = 'text' + y",
    ],
)
def test_what_no_test_could_notice_is_left_alone(code):
    assert wrongs_in("a.py", code.encode()) == []


def test_all_wrongs_are_code_and_a_seed_draws_the_same_ones():
    wrongs = [w for p in _tree() if p.startswith(ROOMS) and p.endswith(".py") for w in _wrongs(p)]
    assert len(wrongs) > 2000
    for wrong in random.Random(5).sample(wrongs, 150):
        whole = (ROOT / wrong.path).read_bytes()
        planted = wrong.planted_in(whole)
        assert ast.dump(ast.parse(planted)) != ast.dump(ast.parse(whole)), wrong
    drawn = [draw(wrongs, Namespace(seed=seed, count=200)) for seed in (3, 3, 4)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({(w.path, w.span, w.after) for w in drawn[0]}) == 200


def test_more_than_5_percent_that_survive_are_a_failure(capsys):
    (wrong, *_) = wrongs_in("a.py", b"x = a + b")
    caught, lived, same = (wrong, "caught"), (wrong, "survived"), (wrong, "equivalent")
    assert tell([caught] * 19 + [lived]) == 0
    assert tell([caught] * 18 + [lived]) == 1
    assert tell([same] * 50 + [caught]) == 0
    assert "a.py:1: sign: a + b  ->  (a - b)" in capsys.readouterr().out


def test_what_is_known_to_change_nothing_is_still_there():
    """An entry whose line was changed since is of no use."""
    known = tomllib.loads(EQUIVALENT.read_text("utf-8"))["equivalent"]
    for each in known:
        assert each["reason"]
        assert any(
            equivalent(w, ROOT) and (w.before, w.after) == (each["before"], each["after"])
            for w in _wrongs(each["path"])
        ), each
