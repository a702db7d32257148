"""The names of all commands of `heroctl`, where each is, and one line about it, so that help imports none of them.

To add a command, write its function in `commands/`, a row here, and two examples in `examples.py`. A test compares the
lines with the docstrings of the functions. `app.py`, `cli.py` and `overview.py` read the table.
"""

from __future__ import annotations

from typing import Final, NamedTuple

ABOUT: Final = "Run scripts as jobs of the Hero actor runtime, and inspect and operate a deployment."
VERSION_HELP: Final = "Print the version."

#: Headings of the list of commands.
_JOBS = "Jobs"
_QUEUES = "Queues, dead letters and schedules"
_ACTORS = "Actors"
_DEPLOYMENT = "Deployment"
_HEROSCRIPT = "HeroScript"
_RHAI = "Rhai scripts"
_NOUNS = "The same commands by noun and verb"


class CommandRow(NamedTuple):
    """One command.

    Attributes:
        names: `noun verb`, or its only word; after a `|`, other names of the same command.
        function: Module below `hero_ctl.commands`, and function in it.
        summary: What it does: the first paragraph of its help.
        panel: Heading of the list of commands that it stands under; None in a group.
        exit_codes: Constant of the module that explains them, if they are not those of all commands.
    """

    names: str
    function: str
    summary: str
    panel: str | None = None
    exit_codes: str = ""

    @property
    def paths(self) -> list[str]:
        """All its names."""
        return [name.strip() for name in self.names.split("|")]


#: Name of each group -> its help, and the heading that it stands under.
GROUPS: Final = {
    "dead": ("Dead letters: jobs that failed permanently.", _QUEUES),
    "schedule": ("Schedules: jobs that run repeatedly.", _QUEUES),
    "batch": ("Batches: jobs that were created together.", _QUEUES),
    "config": ("Which config, store and socket are used here.", _DEPLOYMENT),
    "keys": ("Keys: bearer tokens that open the service's ports.", _DEPLOYMENT),
    "osis": ("Objects of OSIS: list, read, move them, and the rights to them.", _DEPLOYMENT),
    "osis acl": ("The rights in a context.", _DEPLOYMENT),
    "heroscript": ("Check and format HeroScript; needs no service.", _HEROSCRIPT),
    "job": ("Run, list, show, stop jobs.", _NOUNS),
    "queue": ("List, pause, resume, purge queues.", _NOUNS),
    "actor": ("List, show, start, stop, scale actors.", _NOUNS),
    "key": ("Create, list, revoke keys.", _NOUNS),
    "actors": ("List actor processes; show, start, stop and restart those of this machine's supervisor.", _ACTORS),
}
#: The headings, from the first to the last.
PANELS: Final = (_JOBS, _QUEUES, _ACTORS, _DEPLOYMENT, _RHAI, _HEROSCRIPT, _NOUNS)
COMMANDS: Final = (
    CommandRow("job run|run", "job.running:run", "Run a script, wait for it, and print its output.", panel=_JOBS),
    CommandRow("job submit|submit", "job.running:submit", "Queue a script and print the id of its job.", panel=_JOBS),
    CommandRow("job status|status", "job.looking:status", "Print the status of jobs.", panel=_JOBS),
    CommandRow(
        "job show|show",
        "job.looking:show",
        "Print all about a job: status, times, attempts, its error, and why it does not run.",
        panel=_JOBS,
    ),
    CommandRow(
        "job output|output",
        "job.looking:output",
        "Print the output of a job. If the job failed, the command fails with its error.",
        panel=_JOBS,
    ),
    CommandRow("job wait|wait", "job.looking:wait", "Wait until jobs have ended, and print how each did.", panel=_JOBS),
    CommandRow("job logs|logs", "job.logs:logs", "Print what the script of a job has printed.", panel=_JOBS),
    CommandRow("job list|list|jobs", "job.looking:list_jobs", "List the jobs in the store, newest first.", panel=_JOBS),
    CommandRow(
        "job stop|stop",
        "job.control:stop",
        "Stop jobs, and print their new status: stopping if one runs, else stopped.",
        panel=_JOBS,
    ),
    CommandRow("job retry|retry", "job.control:retry", "Run jobs again that failed or were stopped.", panel=_JOBS),
    CommandRow("job delete|delete", "job.control:delete", "Delete jobs that are not running.", panel=_JOBS),
    CommandRow(
        "job events|events",
        "job.events:events",
        "Print the newest events of jobs: about the last 10,000 changes of status.",
        panel=_JOBS,
    ),
    CommandRow(
        "queue list|queues",
        "queues:list_queues",
        "List the queues: how many jobs wait, and since when a queue is paused.",
        panel=_QUEUES,
    ),
    CommandRow(
        "queue pause|pause",
        "queues:pause",
        "Pause a queue: its jobs wait. Jobs that have started go on.",
        panel=_QUEUES,
    ),
    CommandRow("queue resume|resume", "queues:resume", "Resume a paused queue.", panel=_QUEUES),
    CommandRow(
        "queue purge",
        "queues:purge",
        "Stop all jobs that wait in a queue, and print how many. Jobs that have started go on.",
    ),
    CommandRow("dead list", "dead:list_dead", "List the dead letters, newest first."),
    CommandRow("dead retry", "dead:retry", "Run dead letters again, and print how many."),
    CommandRow("dead purge", "dead:purge", "Delete all dead letters with their jobs, and print how many."),
    CommandRow(
        "schedule add",
        "schedules:add",
        "Create a schedule, or replace the one with this name, and print when it first runs.",
    ),
    CommandRow("schedule list", "schedules:list_schedules", "List the schedules, by name."),
    CommandRow(
        "schedule show",
        "schedules:show",
        "Print all about a schedule: when it runs, its last job, and what its job asks for.",
    ),
    CommandRow(
        "schedule run",
        "schedules:run",
        "Run the job of a schedule now, and print its id. The schedule itself goes on as before.",
    ),
    CommandRow("schedule pause", "schedules:pause", "Pause a schedule: it creates no jobs until `schedule resume`."),
    CommandRow(
        "schedule resume",
        "schedules:resume",
        "Resume a paused schedule, and print when it runs next. What it missed meanwhile stays missed.",
    ),
    CommandRow("schedule delete", "schedules:delete", "Delete a schedule. The jobs that it has created stay."),
    CommandRow("batch list", "batch:list_batches", "List the batches, the one that began last first."),
    CommandRow("batch show", "batch:show", "Show how many jobs of a batch have ended, and how."),
    CommandRow("batch jobs", "batch:jobs", "List the jobs of a batch."),
    CommandRow(
        "batch wait",
        "batch:wait",
        "Wait until all jobs of a batch have ended. The exit code is 1 if one of them has no result.",
    ),
    CommandRow("actor list", "actors:list_actors", "List the actors of all machines, and how many jobs wait."),
    CommandRow(
        "actor show|actors show",
        "actors:show",
        "Show the processes of an entry: what each does, and why one does not run.",
    ),
    CommandRow(
        "actor logs|actors logs",
        "actors:logs",
        "Print what a process of this machine's supervisor has written, also one that has ended.",
    ),
    CommandRow(
        "actor start|actors start",
        "actors:start",
        "Start processes that were stopped, have ended, or pause before a restart.",
    ),
    CommandRow(
        "actor stop|actors stop",
        "actors:stop",
        "Stop processes until they are started again. Running jobs get time to finish.",
    ),
    CommandRow(
        "actor restart|actors restart",
        "actors:restart",
        "Replace processes one by one, without losing a job, and print their names.",
    ),
    CommandRow(
        "actor scale|scale",
        "actors:scale",
        "Run N processes of an entry, until the supervisor restarts or its config changes the count.",
        panel=_ACTORS,
    ),
    CommandRow(
        "actor reload|reload",
        "actors:reload",
        "Make the supervisor load its config again, and print which entries changed.",
        panel=_ACTORS,
    ),
    CommandRow(
        "doctor",
        "checkup.doctor:doctor",
        "Check config, store, jobs, actors, sockets and this machine, and say how to solve each problem.",
        panel=_DEPLOYMENT,
        exit_codes="EPILOG",
    ),
    CommandRow(
        "top",
        "tools.top:top",
        "Show queues, actors, rates and memory, again every two seconds on a terminal, otherwise once.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "stats",
        "tools.stats:stats",
        "Show how many jobs started and ended, how long they waited and ran, and which errors there were.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "config where",
        "tools.config:where",
        "Show which config, store and socket the programs use here, and what decided that.",
    ),
    CommandRow(
        "whoami", "tools.calls:whoami", "Show who the service takes you for, and what you may do.", panel=_DEPLOYMENT
    ),
    CommandRow(
        "rpc",
        "tools.calls:rpc",
        "Call a JSON-RPC method of the service, and print its result: a text as it is, everything else as JSON.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "ui",
        "tools.ui:ui",
        "Show the web page of this machine's service in a browser, until Ctrl-C.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "bench",
        "bench:bench",
        "Measure a deployment: jobs per second, and latency from submission to result.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "key create|keys create",
        "keys:create",
        "Create a key and print it. It is shown only this once, and works within two seconds.",
    ),
    CommandRow(
        "key list|keys list",
        "keys:list_keys",
        "List the keys in the store by name, without their tokens. Tokens of a config file are not listed.",
    ),
    CommandRow(
        "key revoke|keys revoke",
        "keys:revoke",
        "Revoke a key. Within two seconds it stops working, and connections that it has opened are closed.",
    ),
    CommandRow(
        "export",
        "transfer:export",
        "Write all jobs, queues, schedules and results of a deployment to a file, for `heroctl import`.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "import", "transfer:import_", "Read a file of `heroctl export` into an empty namespace.", panel=_DEPLOYMENT
    ),
    CommandRow(
        "osis list",
        "osis.objects:list_",
        "Count the objects of each context and type; with a type, list the SIDs of its objects.",
    ),
    CommandRow("osis get", "osis.objects:get", "Print an object as JSON."),
    CommandRow(
        "osis export",
        "osis.moving:export",
        "Write the objects of a context as lines of JSON, without their history, for `heroctl osis import`.",
    ),
    CommandRow(
        "osis import",
        "osis.moving:import_",
        "Read lines of `heroctl osis export` into a context. An object that exists is replaced, as a new version.",
    ),
    CommandRow(
        "osis acl show",
        "osis.rights:acl_show",
        "Print who may do what with the objects of a context, besides its owner, as JSON.",
    ),
    CommandRow(
        "osis acl set",
        "osis.rights:acl_set",
        "Change the rights in a context: grant read alice, revoke write alice, join team alice, grant write "
        "group:team.",
    ),
    CommandRow(
        "init",
        "tools.init:init",
        "Write a config file for a use, with an explanation of each key.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "install-service",
        "install:install_service",
        "Install the supervisor as a systemd service, and print the command that starts it.",
        panel=_DEPLOYMENT,
        exit_codes="EPILOG",
    ),
    CommandRow(
        "completion",
        "tools.completion:completion",
        "Print a script that completes commands, options, ids and names in your shell.",
        panel=_DEPLOYMENT,
    ),
    CommandRow(
        "functions",
        "scripts.functions:functions",
        "List the functions for scripts; with a name, explain one. With --type, say which setting allows the others.",
        panel=_RHAI,
    ),
    CommandRow(
        "check",
        "scripts.functions:check",
        "Compile a Rhai script, and warn of functions that its actor does not have. Nothing runs.",
        panel=_RHAI,
        exit_codes="CHECK_EPILOG",
    ),
    CommandRow(
        "heroscript check",
        "scripts.heroscript:check",
        "Print errors and warnings in scripts, as a compiler does: path:line:column, the line, a caret, a hint.",
        exit_codes="EPILOG",
    ),
    CommandRow(
        "heroscript fmt",
        "scripts.heroscript:fmt",
        "Format scripts in the one style. Without an option, print one formatted script to standard output.",
        exit_codes="EPILOG",
    ),
)


def find_command(words: list[str]) -> tuple[CommandRow, list[str]] | None:
    """Find the command that a command line names, and its options and arguments; None if it names none."""
    for length in (3, 2, 1):
        path = " ".join(words[:length])
        for row in COMMANDS:
            if len(words) >= length and path in row.paths:
                return row, words[length:]
    if words[:1] == ["actors"] and (len(words) == 1 or words[1].startswith("-")):
        return find_command(["actor", "list", *words[1:]])
    return None
