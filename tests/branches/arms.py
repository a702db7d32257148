"""Finds the branches of a module and puts a probe into each arm.

Each arm has one byte in a file that all processes of a run map. So a child that is killed, forked or replaced loses
nothing, nothing is written when a process ends, and nothing is merged (docs/decisions/0013-branch-probes.md).

`prepare.py` is the caller. A branch is an `if`, `for`, `while` or `match` whose condition is not constant; its arms are
what coverage.py counts as well: taken or not, entered or exhausted, one per case. Line numbers do not change.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

#: The name, in `builtins`, of the bytes that the probes write to.
PROBES = "__branch_probes__"

#: On the line of a branch or of an arm: the tests need not take it. A reason follows.
PRAGMA = "# pragma: no branch"


@dataclass(frozen=True, slots=True)
class Arm:
    """One way out of a branch."""

    line: int
    """The line of the branch, or of the `case`."""

    way: str
    """What happens in this arm, in one or two words."""


@dataclass
class ProbeWriter(ast.NodeTransformer):
    """Puts probes into one module."""

    source_lines: list[str]
    """The module's text."""

    first: int
    """The index of the module's first arm."""

    calls: bool = False
    """Probe the beginning of each function too, for `tests/mutation`."""

    arms: list[Arm] = field(default_factory=list)
    """What was found, in the order of their indices."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Probe its beginning."""
        self._probe_call(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        """Probe its beginning."""
        self._probe_call(node)
        return node

    def _probe_call(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.generic_visit(node)
        if self.calls:
            docstring = ast.get_docstring(node) is not None
            body = node.body[1:] or [ast.copy_location(ast.Pass(), node)]
            self._probe(node, body if docstring else node.body, "called")
            if docstring:
                node.body[1:] = body

    def visit_If(self, node: ast.If) -> ast.If:
        """Probe both arms, unless the condition is constant."""
        if not _is_constant(node.test):
            self._probe(node, node.body, "true")
            self._probe(node, node.orelse, "false")
        self.generic_visit(node)
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        """Probe the body and the end, unless the condition is constant."""
        if not _is_constant(node.test):
            self._probe(node, node.body, "entered")
            self._probe(node, node.orelse, "ended")
        self.generic_visit(node)
        return node

    def visit_For(self, node: ast.For) -> ast.For:
        """Probe the body and the end of the items."""
        self._probe_for(node)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AsyncFor:
        """Probe the body and the end of the items."""
        self._probe_for(node)
        return node

    def visit_Match(self, node: ast.Match) -> ast.Match:
        """Probe each case, and the way past all of them if there is one."""
        if not _is_irrefutable(node.cases[-1]):
            node.cases.append(ast.match_case(pattern=ast.MatchAs(), guard=None, body=[]))
        for case in node.cases:
            where = case.pattern if hasattr(case.pattern, "lineno") else node
            self._probe(where, case.body, "case" if case.body else "no case")
        self.generic_visit(node)
        return node

    def _probe_for(self, node: ast.For | ast.AsyncFor) -> None:
        self._probe(node, node.body, "entered")
        self._probe(node, node.orelse, "exhausted")
        self.generic_visit(node)

    def _probe(self, branch: ast.stmt | ast.pattern, body: list[ast.stmt], way: str) -> None:
        lines = {branch.lineno} | {statement.lineno for statement in body[:1]}
        if any(PRAGMA in self.source_lines[line - 1] for line in lines) or _is_impossible(body):
            if not body:
                body.append(ast.copy_location(ast.Pass(), branch))
            return
        index = self.first + len(self.arms)
        self.arms.append(Arm(branch.lineno, way))
        (probe,) = ast.parse(f"{PROBES}[{index}] = 1").body
        for part in ast.walk(probe):
            ast.copy_location(part, body[0] if body else branch)
        body.insert(0, probe)


def _is_constant(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) or (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING")


def _is_irrefutable(case: ast.match_case) -> bool:
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _is_impossible(body: list[ast.stmt]) -> bool:
    """Tell whether the arm only says to the type checker that it cannot be reached."""
    if not body or not isinstance(body[0], ast.Expr) or not isinstance(body[0].value, ast.Call):
        return False
    return isinstance(body[0].value.func, ast.Name) and body[0].value.func.id == "assert_never"


def write_probes(source: str, first: int, *, calls: bool = False) -> tuple[ast.Module, list[Arm]]:
    """Return the module with a probe in each arm.

    Args:
        source: The module's text.
        first: The index of its first arm among those of all modules.
        calls: Probe the beginning of each function too.

    Returns:
        The tree to compile, and the arms, the first of which has the index `first`.
    """
    writer = ProbeWriter(source.splitlines(), first, calls)
    tree = writer.visit(ast.parse(source))
    return ast.fix_missing_locations(tree), writer.arms
