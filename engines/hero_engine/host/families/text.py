"""The family `text`: indentation, names that are safe for files, replacements, and templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.rendering import render
from hero_engine.host.workspace import workspace

FAMILY = Family("text", "Indentation, names that are safe for files, replacements, and templates.")

#: A tab counts as this many columns. Source: dedent of the crate sal-text 0.1.0
_TAB_COLUMNS = 4
#: What a name loses besides white space. Source: name_fix of the crate sal-text 0.1.0
_NO_NAME = re.compile(r"""[\s,\-"'#!()\[\]=+<>@$%^&*]+""")
#: A reference to a group in a replacement, as the Rust crate `regex` writes it.
_GROUP = re.compile(r"\$(?:(\$)|(\w+)|\{([^}]*)\})", re.ASCII)
#: Longest result of a replacement, in characters: far above what a script may hold, and bounded.
_MAX_CHARS = 64 << 20
#: After so many matches or lines, a few milliseconds, a function asks again whether its run may go on.
_ITEMS_PER_CHECK = 1000

T = TypeVar("T")


@FAMILY.function()
def dedent(call: Call, text: str) -> str:
    r"""Remove the indentation that all lines share. A tab counts as four spaces, and blank lines become empty.

    Example:
        dedent("    one\n      two")     // "one\n  two"
    """
    lines = _lines(text)
    common = min((_columns(line) for line in while_allowed(call, lines) if line.strip()), default=0)
    return "\n".join(_without_columns(line, common) if line.strip() else "" for line in while_allowed(call, lines))


@FAMILY.function()
def prefix(call: Call, text: str, prefix: str) -> str:
    r"""Put a prefix before each line.

    Example:
        prefix("one\ntwo", "> ")         // "> one\n> two"
    """
    return "\n".join(prefix + line for line in while_allowed(call, _lines(text)))


@FAMILY.function()
def name_fix(text: str) -> str:
    """Make a name that is safe for files: ASCII, lower case, and `_` for white space and most punctuation.

    Example:
        name_fix("User's File [Draft].txt")    // "user_s_file_draft_.txt"
    """
    return _NO_NAME.sub("_", "".join(filter(str.isascii, text))).lower()


@FAMILY.function()
def path_fix(text: str) -> str:
    """Make the last part of a path a safe name. A path that ends in `/` stays as it is.

    Example:
        path_fix("/data/My File.txt")     // "/data/my_file.txt"
    """
    folder, slash, name = text.rpartition("/")
    return folder + slash + name_fix(name)


class _Matcher(Protocol):
    def finditer(self, text: str) -> Any: ...


_Step = Callable[[Call, str], str]


@dataclass(frozen=True, slots=True)
class _Operation:
    """One replacement. Without a regular expression the pattern is a plain text."""

    pattern: str = ""
    replacement: str = ""
    is_regex: bool = False
    ignores_case: bool = False


@FAMILY.handle
class TextReplacer:
    """Replacements in the order in which they are done."""

    def __init__(self, steps: tuple[_Step, ...]) -> None:
        self._steps = steps

    def replace(self, call: Call, text: str) -> str:
        """Carry out the replacements of a replacer in a text.

        Example:
            let r = text_replacer_new().pattern("cat").replacement("dog").build();
            r.replace("a cat")            // "a dog"
        """
        for step in self._steps:
            text = step(call, text)
        return text

    def replace_file(self, call: Call, path: str) -> str:
        """Carry out the replacements in the text of a file, which stays as it is."""
        return self.replace(call, _read(call, path))

    def replace_file_in_place(self, call: Call, path: str) -> None:
        """Carry out the replacements in a file."""
        _write(call, path, self.replace(call, _read(call, path)))

    def replace_file_to(self, call: Call, path: str, target: str) -> None:
        """Carry out the replacements in the text of a file, and write the result to another."""
        _write(call, target, self.replace(call, _read(call, path)))


@FAMILY.handle
class TextReplacerBuilder:
    """Collects replacements. Immutable: each method returns a further builder."""

    def __init__(self, done: tuple[_Operation, ...] = (), current: _Operation = _Operation()) -> None:
        self._done = done
        self._current = current

    def pattern(self, text: str) -> TextReplacerBuilder:
        """Set what to look for: a text, or a regular expression if `regex(true)` is called too."""
        return self._changed(pattern=text)

    def replacement(self, text: str) -> TextReplacerBuilder:
        """Set what to put there. With a regular expression, `$1` and `${name}` stand for its groups."""
        return self._changed(replacement=text)

    def regex(self, on: bool) -> TextReplacerBuilder:
        """Say whether the pattern is a regular expression."""
        return self._changed(is_regex=on)

    def case_insensitive(self, on: bool) -> TextReplacerBuilder:
        """Say whether upper and lower case are the same."""
        return self._changed(ignores_case=on)

    def and_(self) -> TextReplacerBuilder:
        """Begin a further replacement, which is done after those before it."""
        return TextReplacerBuilder((*self._done, self._current))

    def build(self) -> TextReplacer:
        r"""Make the replacer.

        Example:
            text_replacer_new().pattern("(\\w+)@").regex(true).replacement("$1 at ").build()
        """
        operations = [operation for operation in (*self._done, self._current) if operation.pattern]
        if not operations:
            raise FunctionError("No replacement operations configured")
        return TextReplacer(tuple(map(_step, operations)))

    def _changed(self, **changes: Any) -> TextReplacerBuilder:
        return TextReplacerBuilder(self._done, replace(self._current, **changes))


@FAMILY.function("text_replacer_builder")
@FAMILY.function()
def text_replacer_new() -> TextReplacerBuilder:
    """Begin a replacer: a builder with pattern, replacement, regex, case_insensitive, and, build.

    Example:
        text_replacer_new().pattern("a").replacement("b").and().pattern("c").replacement("d").build()
    """
    return TextReplacerBuilder()


@FAMILY.handle
class TemplateBuilder:
    """A template and its variables. Immutable: each method returns a further builder."""

    def __init__(self, template: str, variables: dict[str, Any]) -> None:
        self._template = template
        self._variables = variables

    def add_var(self, name: str, value: str | int | float | bool | list[Any] | dict[str, Any]) -> TemplateBuilder:
        """Set a variable."""
        return self.add_vars({name: value})

    def add_vars(self, values: dict[str, Any]) -> TemplateBuilder:
        """Set variables by the keys of a map."""
        return TemplateBuilder(self._template, {**self._variables, **values})

    def render(self, call: Call) -> str:
        """Fill in the variables."""
        return render(call, self._template, self._variables)

    def render_to_file(self, call: Call, path: str) -> None:
        """Fill in the variables and write the result to a file."""
        _write(call, path, render(call, self._template, self._variables))


@FAMILY.function(blocks=True)
def template_builder_open(call: Call, path: str) -> TemplateBuilder:
    """Open a template: a file with `{{ name }}`, `{% for x in list %}` and the like, as in Jinja and Tera. Continue
    with add_var, add_vars, render, render_to_file.

    Example:
        file_write("hello.txt", "Hello {{ name }}");
        template_builder_open("hello.txt").add_var("name", "Ada").render()    // "Hello Ada"
    """
    files = workspace(call)
    if files.status(files.find(path)) is None:
        raise FunctionError(f"IO error: Template file not found: {path}")
    return TemplateBuilder(_read(call, path), {})


def _read(call: Call, path: str) -> str:
    files = workspace(call)
    try:
        return files.read(files.find(path)).decode()
    except OSError as e:
        raise FunctionError(f"IO error: {e.strerror}") from None
    except UnicodeDecodeError:
        raise FunctionError("IO error: stream did not contain valid UTF-8") from None


def _write(call: Call, path: str, text: str) -> None:
    files = workspace(call)
    try:
        files.write(files.find(path, write=True), text.encode())
    except OSError as e:
        raise FunctionError(f"IO error: {e.strerror}") from None


def _lines(text: str) -> list[str]:
    """Split as Rust does: a last line feed begins no further line."""
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _columns(line: str) -> int:
    blank = line[: len(line) - len(line.lstrip(" \t"))]
    return len(blank) + blank.count("\t") * (_TAB_COLUMNS - 1)


def _without_columns(line: str, columns: int) -> str:
    position = 0
    while columns > 0:
        columns -= _TAB_COLUMNS if line[position] == "\t" else 1
        position += 1
    return line[position:]


def _step(operation: _Operation) -> _Step:
    if not operation.is_regex and not operation.ignores_case:
        return lambda _call, text: _replace_text(text, operation.pattern, operation.replacement)
    matcher = _compile(operation)
    if operation.is_regex:
        return partial(replace_matches, matcher, lambda match: expand_groups(operation.replacement, match))
    return partial(replace_matches, matcher, lambda _match: operation.replacement)


def _compile(operation: _Operation) -> _Matcher:
    try:
        return compile_pattern(operation.pattern, literal=not operation.is_regex, ignores_case=operation.ignores_case)
    except FunctionError as e:
        raise FunctionError(f"No replacement operations configured: {e.text}") from None


def compile_pattern(pattern: str, *, literal: bool = False, ignores_case: bool = False) -> _Matcher:
    """Compile a pattern, which matches in a time that is linear in the text.

    Args:
        pattern: A regular expression of RE2.
        literal: It is a plain text instead.
        ignores_case: Upper and lower case are the same.

    Raises:
        FunctionError: It is no regular expression.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = not ignores_case
    options.literal = literal
    try:
        matcher: _Matcher = re2.compile(pattern, options)
    except re2.error as e:
        text = e.args[0] if e.args else ""
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        raise FunctionError(f"{pattern!r:.80} is no regular expression: {text}") from None
    return matcher


def _replace_text(text: str, pattern: str, replacement: str) -> str:
    if len(replacement) > len(pattern):
        _check_size(len(text) + text.count(pattern) * (len(replacement) - len(pattern)))
    return text.replace(pattern, replacement)


def while_allowed(call: Call, items: Iterable[T]) -> Iterator[T]:
    """Go through matches or lines, unless the run ends meanwhile: a text of megabytes may have millions.

    Raises:
        CallEnded: The run was stopped, or its time is up.
        FunctionError: The call takes longer than the operator allows.
    """
    for number, item in enumerate(items, 1):
        if number % _ITEMS_PER_CHECK == 0:
            call.check()
        yield item


def replace_matches(matcher: _Matcher, put: Callable[[Any], str], call: Call, text: str) -> str:
    """Replace each match by what `put` makes of it.

    Raises:
        CallEnded: See `while_allowed`.
        FunctionError: The result would be too long.
    """
    parts: list[str] = []
    size = at = 0
    for match in while_allowed(call, matcher.finditer(text)):
        if parts and match.end() == at:
            continue  # an empty match right behind the one before it counts nowhere but here
        parts += (text[at : match.start()], put(match))
        at = match.end()
        size += len(parts[-1]) + len(parts[-2])
        _check_size(size)
    parts.append(text[at:])
    return "".join(parts)


def expand_groups(replacement: str, match: Any) -> str:
    """Put the groups of a match in the place of `$1` and `${name}`. One that does not exist is empty, as in Rust."""

    def group(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return _GROUP.sub(group, replacement)


def _check_size(chars: int) -> None:
    if chars > _MAX_CHARS:
        raise FunctionError(f"the result would have more than {_MAX_CHARS} characters")
