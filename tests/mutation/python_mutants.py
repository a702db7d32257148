"""The small changes that are made to a Python module, one at a time.

`choose.py` is the caller. A mutant replaces one piece of the text, so that line numbers and the rest stay as they are.
What has no effect that a test could see is left alone: annotations, docstrings, log calls, texts of errors, decorators,
`assert_never` and what only a type checker reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutation.mutant import Mutant

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
#: Calls whose absence or arguments no test has to see.
_IGNORED_CALLS = {"log", "logger", "assert_never", "cast", "TypeVar", "overload", "getLogger"}


def mutants_of(path: str, source: str) -> list[Mutant]:
    """List every mutant of a module, in the order of the text.

    Args:
        path: The module's path in the repository.
        source: Its text.
    """
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda mutant: (mutant.begin, mutant.operator))


class _Finder(ast.NodeVisitor):
    """Walks over one module."""

    def __init__(self, path: str, source: str) -> None:
        self.found: list[Mutant] = []
        self._path = path
        self._source = source
        self._starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    # -- what is left alone --------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Look at the defaults and the body."""
        for default in (*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)):
            self.visit(default)
        self._body(node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        """Look at the defaults and the body."""
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Look at the body."""
        self._body(node.body)

    def visit_Module(self, node: ast.Module) -> None:
        """Look at the body."""
        self._body(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """Look at the value."""
        if node.value is not None:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Look at the value; lists of names are not code."""
        names = {target.id for target in node.targets if isinstance(target, ast.Name)}
        if "__all__" not in names:
            self._drop(node, "drop assignment", any(not isinstance(target, ast.Name) for target in node.targets))
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        """Drop it; the text of an error is not looked at."""
        self._add(node, "drop raise", "pass")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """A text stays as it is."""

    def _body(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            if not _is_text(statement):
                self.visit(statement)

    # -- changes -------------------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        """Negate the condition."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """Negate the condition."""
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Negate the conditions."""
        for condition in node.ifs:
            self._negate(condition)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        """Take another comparison."""
        if len(node.ops) == 1:
            for other in _COMPARISONS[type(node.ops[0])]:
                changed = ast.Compare(node.left, [other()], node.comparators)
                self._add(node, "other comparison", f"({ast.unparse(changed)})")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Swap `and` and `or`."""
        other = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        self._add(node, "swap and/or", f"({ast.unparse(other)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """Take another operator."""
        text = isinstance(node.left, ast.Constant | ast.JoinedStr) and not _is_number(node.left)
        if type(node.op) in _ARITHMETIC and not text:
            changed = ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
            self._add(node, "other operator", f"({ast.unparse(changed)})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        """Drop a `not` or a minus."""
        if isinstance(node.op, ast.Not | ast.USub):
            self._add(node, "drop not or minus", f"({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Change a number by one, or a truth value."""
        if node.value is True or node.value is False:
            self._add(node, "wrong constant", str(not node.value))
        elif isinstance(node.value, int):
            self._add(node, "off by one", str(node.value + 1))
        elif isinstance(node.value, float):
            self._add(node, "wrong constant", repr(node.value * 2 + 1))

    def visit_Return(self, node: ast.Return) -> None:
        """Return nothing."""
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self._add(node, "return nothing", "return None")
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Drop a call that stands alone, awaited or not."""
        call = node.value.value if isinstance(node.value, ast.Await) else node.value
        if isinstance(call, ast.Call) and _called(call) in _IGNORED_CALLS:
            return
        if isinstance(call, ast.Call):
            self._add(node, "drop await" if isinstance(node.value, ast.Await) else "drop call", "pass")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        """Drop it."""
        self._drop(node, "drop assignment", True)
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        """Drop it."""
        self._drop(node, "drop del", True)

    def visit_Break(self, node: ast.Break) -> None:
        """Go on instead."""
        self._add(node, "continue for break", "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        """End the loop instead."""
        self._add(node, "break for continue", "break")

    def visit_Call(self, node: ast.Call) -> None:
        """Swap the first two arguments."""
        if _called(node) in _IGNORED_CALLS:
            return
        if (
            len(node.args) > 1
            and ast.dump(node.args[0]) != ast.dump(node.args[1])
            and not any(isinstance(one, ast.Starred) for one in node.args[:2])
        ):
            swapped = ast.Call(node.func, [node.args[1], node.args[0], *node.args[2:]], node.keywords)
            self._add(node, "swap arguments", ast.unparse(swapped))
        self.generic_visit(node)

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        """Do it without the lock."""
        for item in node.items:
            if "lock" in ast.unparse(item.context_expr).lower() and item.optional_vars is None:
                null = "__import__('contextlib').nullcontext()"
                self._add(item.context_expr, "drop lock", null)
        self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        """Do it without the lock."""
        self.visit_With(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        """Let the exception pass on."""
        if not isinstance(node.body[0], ast.Raise):
            self._add(node.body[0], "raise in handler", "raise")
        self.generic_visit(node)

    def _negate(self, test: ast.expr) -> None:
        self._add(test, "negate", f"(not ({ast.unparse(test)}))")

    def _drop(self, node: ast.stmt, operator: str, droppable: bool) -> None:
        if droppable:
            self._add(node, operator, "pass")

    def _add(self, node: ast.expr | ast.stmt, operator: str, after: str) -> None:
        if ast.unparse(node) == after:
            return
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = self._starts[node.lineno - 1] + node.col_offset
        end = self._starts[node.end_lineno - 1] + node.end_col_offset
        self.found.append(Mutant(self._path, node.lineno, operator, begin, end, after))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _called(call: ast.Call) -> str:
    """Name the object whose method is called, or the function."""
    function = call.func
    while isinstance(function, ast.Attribute) and not isinstance(function.value, ast.Name):
        function = function.value
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        name = function.value.id
        return name if name in _IGNORED_CALLS else function.attr
    return function.id if isinstance(function, ast.Name) else ""


def functions_of(source: str) -> Iterator[tuple[int, int]]:
    """Iterate over the functions of a module as first and last line; an inner one comes after the outer one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.end_lineno or node.lineno
