"""The fixed operators: each says which small wrongs can be put into a piece of code."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
SIGNS: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add}
UNCHECKED_CALLS = ("log", "logger", "warnings", "super")
"""What begins the names of calls that no test need notice."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A small change of one place in a file.

    Attributes
    ----------
    path : str
        Of the file, from the root of the tree.
    operator : str
        One of `OPERATORS`.
    line : int
        From 1.
    span : (start, end)
        The bytes that `after` replaces.
    """

    path: str
    operator: str
    line: int
    span: tuple[int, int]
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.operator}: {self.before}  ->  {self.after}"

    def planted_in(self, source: bytes) -> bytes:
        """Return the file's content with the change."""
        start, end = self.span
        return source[:start] + self.after.encode() + source[end:]


def _sign(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.BinOp) and type(node.op) in SIGNS and not _is_text(node):
        yield _with(node, op=SIGNS[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand


def _constant(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and not isinstance(node.value, (str, bytes)):
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, float):
            yield ast.Constant(node.value * 2 or 1.0)


def _off_by_one(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        yield ast.Constant(node.value + 1)
        if node.value > 0:
            yield ast.Constant(node.value - 1)


def _boundary(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for place, comparison in enumerate(node.ops):
            if type(comparison) in COMPARISONS:
                ops = list(node.ops)
                ops[place] = COMPARISONS[type(comparison)]()
                yield _with(node, ops=ops)


def _negated(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        test = node.test
        bare = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        yield test.operand if isinstance(test, ast.UnaryOp) and bare else _not(test)


def _swapped(node: ast.AST) -> Iterator[ast.AST]:
    """Swap two arguments, the axes of an index, or the parts of a pair."""
    if isinstance(node, ast.Call) and len(node.args) >= 2:
        if swapped := _swap(node.args):
            yield _with(node, args=swapped)
    elif (
        isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) in (2, 3)
    ):
        for place in range(len(node.elts) - 1):
            if swapped := _swap(node.elts, place):
                yield _with(node, elts=swapped)


def _dropped(node: ast.AST) -> Iterator[ast.AST]:
    if (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and not _is_unchecked(node.value)
    ):
        yield ast.Pass()


OPERATORS: dict[str, Callable[[ast.AST], Iterator[ast.AST]]] = {
    "sign": _sign,
    "constant": _constant,
    "off by one": _off_by_one,
    "boundary": _boundary,
    "negated condition": _negated,
    "swapped": _swapped,
    "dropped call": _dropped,
}


def wrongs_in(path: str, source: bytes) -> list[Wrong]:
    """Return all wrongs that the operators can put into a file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _code(ast.parse(source)):
        for name, operator in OPERATORS.items():
            for changed in operator(node):
                place = node.test if name == "negated condition" else node  # type: ignore[attr-defined]
                span = (
                    starts[place.lineno - 1] + place.col_offset,
                    starts[place.end_lineno - 1] + place.end_col_offset,
                )
                before = " ".join(source[slice(*span)].decode().split())
                after = _text(changed, before)
                found.append(Wrong(path, name, place.lineno, span, before, after))
    return found


def _text(changed: ast.AST, before: str) -> str:
    """Return a changed node as it is written where ``before`` stood."""
    if isinstance(changed, ast.Tuple):
        parts = ", ".join(ast.unparse(part) for part in changed.elts)
        return f"({parts})" if before.startswith("(") else parts
    text = ast.unparse(changed)
    loose = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.UnaryOp, ast.Lambda)
    return f"({text})" if isinstance(changed, loose) else text


def _code(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a tree that do something: no annotations, texts, or decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Call) and _is_unchecked(child):
                continue
            if isinstance(child, ast.Subscript) and not _is_indexing(child):
                continue
            yield child
            yield from _code(child)


def _is_unchecked(call: ast.Call) -> bool:
    return ast.unparse(call.func).split(".")[0].split("(")[0] in UNCHECKED_CALLS


def _is_indexing(node: ast.Subscript) -> bool:
    """Tell an index from the parameter of a type, as in ``NDArray[np.uint8]``."""
    name = ast.unparse(node.value).rpartition(".")[2]
    return not name[:1].isupper() and name not in ("dict", "list", "tuple", "type", "set", "dtype")


def _is_text(node: ast.BinOp) -> bool:
    texts = (ast.JoinedStr, ast.List, ast.Tuple)
    return any(
        isinstance(side, texts) or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in (node.left, node.right)
    )


def _not(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _swap(parts: list[ast.expr], first: int = 0) -> list[ast.expr]:
    """Return the parts with two neighbours swapped; none where that would change nothing."""
    one, other = parts[first], parts[first + 1]
    if any(isinstance(part, ast.Starred) for part in parts) or ast.dump(one) == ast.dump(other):
        return []
    return [*parts[:first], other, one, *parts[first + 2 :]]


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed
