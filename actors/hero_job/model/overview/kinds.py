"""What each kind of error of a job means, and what to do about it. Pure.

`heroctl show` and the reference have it. Invariant: every kind of `counters.KINDS` is in one row; a test compares. An
actor does not import this module, because it needs no texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class KindCure(NamedTuple):
    """One row: kinds of errors that have the same cause and cure.

    Attributes:
        kinds: The kinds, with spaces between them.
        cause: What has happened.
        cure: What to do.
    """

    kinds: str
    cause: str
    cure: str


#: The runtime's own kinds first, then those of HeroScript, then Rhai's.
ROWS: Final = (
    KindCure(
        "timeout",
        "the job ran longer than its timeout",
        "give it a longer timeout, or make the script shorter; a stuck call is in its log",
    ),
    KindCure("stopped", "somebody stopped the job", "nothing; `heroctl retry JOB` runs it again"),
    KindCure(
        "expired",
        "the job did not start within its time to live",
        "add actors or lanes (`heroctl queues` shows what waits), or give it a longer time",
    ),
    KindCure(
        "lost",
        "every process that ran the job ended, alone in a process at last",
        "look for what ends it, such as memory or a crash in native code: `heroctl show JOB`, the log of the actor",
    ),
    KindCure(
        "crashed",
        "the process that ran the script ended by a signal",
        "the message has the signal; KILL is often the kernel for want of memory: raise memory_max",
    ),
    KindCure(
        "interrupted",
        "an attempt ended because its actor died or was stopped",
        "nothing; the job ran again, or will",
    ),
    KindCure(
        "foreign",
        "another program than the runtime ended the job and gave no kind",
        "ask the program that serves the queue",
    ),
    KindCure(
        "damaged", "the job's record in the store cannot be read", "`heroctl doctor` names the field; create it anew"
    ),
    KindCure(
        "prerequisite_failed",
        "a job that it waits for failed, was stopped, or does not exist",
        "mend and retry that job first, or ask for `run_after_failure`",
    ),
    KindCure(
        "exited",
        "the script ended its process",
        "return from the script instead of calling sys.exit",
    ),
    KindCure(
        "out_of_memory",
        "the script needs more memory than it may have",
        "raise memory_bytes of the job and of the actor, or handle less data in one piece",
    ),
    KindCure(
        "child_failed engine_failed engine_defect",
        "the engine, or the child process that it runs scripts in, failed",
        "look into the log of the actor (`heroctl actors logs ENTRY`), retry the job, and report a defect",
    ),
    KindCure(
        "engine_unavailable",
        "the engine of the script type is not installed, or cannot start",
        "the message says what is missing; `heroctl doctor` has the cure",
    ),
    KindCure(
        "result_too_large",
        "the result is longer than max_result_bytes",
        "return less, write to a file, or raise max_result_bytes",
    ),
    KindCure(
        "result_not_presentable",
        "the result cannot be written as JSON or text",
        "return numbers, texts, lists and maps",
    ),
    KindCure(
        "function_failed",
        "a function of the runtime failed, and the script did not catch it",
        "the message has the reason; catch it with try and catch if the script can go on",
    ),
    KindCure(
        "v_failed",
        "herolib's program ended with an error",
        "the message has its last lines; `heroctl logs JOB` has the others",
    ),
    KindCure(
        "unknown_action no_actions",
        "HeroScript: there is no action of this name, or the script has none",
        "correct the name (docs/heroscript.md lists actions); each begins with !! at the start of a line",
    ),
    KindCure(
        "action_failed",
        "HeroScript: the handler of an action raised an error",
        "the message has the error, the log its traceback",
    ),
    KindCure("syntax", "HeroScript: the text does not follow the syntax", "correct the line that is named"),
    KindCure(
        "param missing json resp",
        "HeroScript: a parameter is missing, or its value cannot be read",
        "the message names the parameter and what it accepts",
    ),
    KindCure(
        "select left load error",
        "HeroScript: actions cannot be selected, or are left over, or a file cannot be loaded",
        "the message names the action or the file",
    ),
    KindCure(
        "ErrorParsing UnexpectedEOF BadInput UnknownOperator MissingToken MissingSymbol MalformedCallExpr "
        "MalformedIndexExpr MalformedInExpr MalformedCapture DuplicatedProperty DuplicatedSwitchCase "
        "DuplicatedVariable WrongSwitchIntegerCase WrongSwitchDefaultCase WrongSwitchCaseCondition PropertyExpected "
        "VariableExpected ForbiddenVariable Reserved MismatchedType ExprExpected WrongDocComment WrongFnDefinition "
        "FnDuplicatedDefinition FnMissingName FnMissingParams FnDuplicatedParam FnMissingBody WrongExport "
        "AssignmentToConstant AssignmentToInvalidLHS VariableExists VariableUndefined ModuleUndefined LoopBreak",
        "Rhai: the script is not correct, so nothing of it ran",
        "correct line and column that the error has; `heroctl check FILE` finds such errors before a job does",
    ),
    KindCure(
        "ExprTooDeep TooManyFunctions LiteralTooLarge",
        "Rhai: an expression is nested too deeply, or a literal or the number of functions is too large",
        "divide the script, or give data as arguments instead of text of the script",
    ),
    KindCure(
        "ErrorVariableNotFound ErrorVariableExists ErrorForbiddenVariable ErrorUnboundThis ErrorAssignmentToConstant "
        "ErrorNonPureMethodCallOnConstant",
        "Rhai: a variable does not exist there, exists already, or must not be changed",
        "declare it with let in the same block; a function sees only its parameters",
    ),
    KindCure(
        "ErrorFunctionNotFound ErrorInFunctionCall",
        "Rhai: no function has this name and takes these types, or one failed inside",
        "`heroctl functions NAME` shows the parameters; mind the types, and whether the operator allows it",
    ),
    KindCure(
        "ErrorPropertyNotFound ErrorDotExpr ErrorIndexNotFound ErrorIndexingType ErrorArrayBounds ErrorStringBounds "
        "ErrorBitFieldBounds",
        "Rhai: a value has no such property or index",
        "test with `in`, `len` or `?.` before it is read",
    ),
    KindCure(
        "ErrorMismatchDataType ErrorMismatchOutputType ErrorFor ErrorArithmetic",
        "Rhai: a value has the wrong type, or a calculation has no result, such as a division by zero",
        "convert it first, as by `parse_int` or `to_string`, or test it",
    ),
    KindCure(
        "ErrorRuntime",
        "Rhai: the script threw this itself, or an error of a function",
        "the message has what was thrown; catch it if the script can go on",
    ),
    KindCure(
        "ErrorModuleNotFound ErrorInModule ErrorTooManyModules",
        "Rhai: a module does not exist, fails, or is one too many",
        "scripts cannot import files; functions of the runtime need no import",
    ),
    KindCure(
        "ErrorTooManyOperations ErrorTooManyVariables ErrorStackOverflow ErrorDataTooLarge",
        "Rhai: the script needs more steps, variables, depth or memory than it may have",
        "look for an endless loop or recursion, handle less data in one piece, or raise the limit of the actor",
    ),
    KindCure(
        "ErrorTerminated ErrorSystem ErrorDataRace ErrorCustomSyntax",
        "Rhai: the engine ended the script",
        "retry the job; if it comes again, report it with the script",
    ),
)
#: By kind.
CURES: Final[Mapping[str, KindCure]] = {kind: row for row in ROWS for kind in row.kinds.split()}
