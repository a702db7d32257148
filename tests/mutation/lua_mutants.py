"""The small changes that are made to a Lua script, one at a time.

The scripts are small and written in one style, so that tokens are enough: no line has two statements that matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.mutation.mutant import Mutant

_TOKEN = re.compile(
    r"(?P<comment>--[^\n]*)|(?P<text>'[^'\n]*'|\"[^\"\n]*\")|(?P<number>\b\d+(?:\.\d+)?\b)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9]*)|(?P<sign>==|~=|<=|>=|\.\.|[<>+*/#=-])"
)
_SIGNS = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">"),
    "<=": ("<", ">"),
    ">": (">=", "<"),
    ">=": (">", "<"),
    "+": ("-",),
    "-": ("+",),
    "*": ("/",),
    "/": ("*",),
}
_WORDS = {"and": ("or",), "or": ("and",), "not": ("",), "true": ("false",), "false": ("true",)}
#: Commands and their options, each with one that does something else.
_COMMANDS = {
    "LPUSH": "RPUSH",
    "RPUSH": "LPUSH",
    "LPOP": "RPOP",
    "RPOP": "LPOP",
    "LEFT": "RIGHT",
    "RIGHT": "LEFT",
    "NX": "XX",
    "XX": "NX",
    "LT": "GT",
    "GT": "LT",
    "ZRANGEBYSCORE": "ZREVRANGEBYSCORE",
    "PEXPIRE": "EXPIRE",
    "SADD": "SREM",
    "SREM": "SADD",
    "HINCRBY": "HSET",
}
_STATEMENT = re.compile(r"^[ \t]*((?:redis\.p?call|[a-z_]+)\([^\n]*\)|[a-z_\[\]#+ .0-9]+ = [^\n]+)$", re.MULTILINE)
_CONDITION = re.compile(r"\b(?:if|elseif|while) ([^\n]+?) (?:then|do)\b")
_RETURN = re.compile(r"\breturn ([^\n]+?)(?= end\b|$)", re.MULTILINE)


def mutants_of(path: str, source: str) -> list[Mutant]:
    """List every mutant of a script, in the order of the text.

    Args:
        path: The script's path in the repository.
        source: Its text.
    """
    found = [*_of_tokens(path, source), *_of_statements(path, source)]
    return sorted(found, key=lambda mutant: (mutant.begin, mutant.operator, mutant.after))


def _of_tokens(path: str, source: str) -> Iterator[Mutant]:
    for match in _TOKEN.finditer(source):
        kind, token = match.lastgroup, match[0]
        if kind == "sign":
            for other in _SIGNS.get(token, ()):
                yield _mutant(path, source, "other sign", match.start(), match.end(), other)
        elif kind == "word":
            for other in _WORDS.get(token, ()):
                yield _mutant(path, source, "other word", match.start(), match.end(), other)
        elif kind == "number":
            after = str(float(token) + 1) if "." in token else str(int(token) + 1)
            yield _mutant(path, source, "off by one", match.start(), match.end(), after)
        elif kind == "text" and token[1:-1] in _COMMANDS:
            yield _mutant(path, source, "other command", match.start() + 1, match.end() - 1, _COMMANDS[token[1:-1]])


def _of_statements(path: str, source: str) -> Iterator[Mutant]:
    comments = [match.span() for match in _TOKEN.finditer(source) if match.lastgroup == "comment"]
    for mutant in _unfiltered(path, source):
        if not any(begin <= mutant.begin < end for begin, end in comments):
            yield mutant


def _unfiltered(path: str, source: str) -> Iterator[Mutant]:
    for match in _STATEMENT.finditer(source):
        if not match[1].startswith(("local ", "function ", "return ")):
            yield _mutant(path, source, "drop statement", match.start(1), match.end(1), "local _")
    for match in _CONDITION.finditer(source):
        yield _mutant(path, source, "negate", match.start(1), match.end(1), f"not ({match[1]})")
    for match in _RETURN.finditer(source):
        if "{" not in match[1] or match[1].count("{") == match[1].count("}"):
            yield _mutant(path, source, "return nothing", match.start(1), match.end(1), "nil")


def _mutant(path: str, source: str, operator: str, begin: int, end: int, after: str) -> Mutant:
    before = len(source[:begin].encode())
    return Mutant(
        path, source.count("\n", 0, begin) + 1, operator, before, before + len(source[begin:end].encode()), after
    )
