"""Rows of the table of log events: those that actors and engines write, and those that several programs write."""

from __future__ import annotations

from typing import Final

_REPORT = "It is a defect of this product: report it with the traceback."

ACTOR_ROWS: Final = (
    ("actor.crashed", "An actor ended because of a defect; its supervisor starts another one.", _REPORT),
    (
        "actor.declared_dead",
        "An actor learned that it was taken for dead, because its beats did not arrive; it starts anew.",
        "Look for overload, a frozen machine or a broken network; raise `lease_s` if that is usual here.",
    ),
    ("actor.draining", "An actor takes no more jobs and ends when those that run have ended.", ""),
    ("actor.ended", "An actor has ended; `reason` says why.", ""),
    ("actor.forced", "An actor ended although lanes still ran jobs; these are recovered.", ""),
    ("actor.handed_back", "An actor that ended gave its jobs back to their queue.", ""),
    (
        "actor.left_unsaid",
        "An actor could not tell the store that it ends; others notice when its lease has ended.",
        "",
    ),
    ("actor.ready", "An actor takes jobs.", ""),
    ("actor.remains_ended", "Processes that scripts of an actor had left behind were killed.", ""),
    ("actor.restarts_itself", "An actor without a supervisor replaces itself by a new process.", ""),
    ("actor.usage", "An actor was started with options that it cannot use.", "Correct what `error` says."),
    ("beat.crashed", "The thread of an actor that keeps its lease failed; the actor ends and is replaced.", _REPORT),
    ("child.ask_failed", "A script in a child process asked its actor for something, which failed.", _REPORT),
    (
        "control.no_parent_death_signal",
        "The kernel does not tell an actor when its supervisor dies; the closed socket does.",
        "",
    ),
    (
        "control.not_understood",
        "A message between a supervisor and its actor cannot be read.",
        "If it is repeated, restart the service: two versions may be mixed.",
    ),
    ("control.unknown_command", "An actor got a command that its version does not know.", "Restart the service."),
    (
        "engine.no_child",
        "No further child process could be started; the next job tries again.",
        "Repair what `error` says.",
    ),
    ("engine.raised", "An engine failed where it should have returned an error; the job ended in error.", _REPORT),
    ("engine.template_restarts", "The process that forks children for scripts is gone; another one is started.", ""),
    (
        "engine.unavailable",
        "The engine of an actor is missing.",
        "Do what `remedy` says; it is looked for once a minute.",
    ),
    ("follower.failed", "Following events of the store failed; it starts again, and clients hear of the gap.", _REPORT),
    (
        "follower.interrupted",
        "Events of the store cannot be followed, mostly because it is away.",
        "See why it is away.",
    ),
    ("follower.listener_failed", "Somebody who follows events failed to take one.", _REPORT),
    (
        "follower.not_woken",
        "The user of the store may not interrupt its own reads, so a new subscription begins a little later.",
        "Allow that user `CLIENT UNBLOCK`.",
    ),
    ("follower.resumed", "Events of the store are followed again.", ""),
    ("function.close_failed", "What a function had opened could not be closed at the end of a script.", _REPORT),
    (
        "function.defect",
        "A function for scripts failed with a defect or an exhausted resource; its script got an error.",
        "Report it if there is a traceback; otherwise repair what `reason` says.",
    ),
    (
        "job.crashed_alone",
        "A job that ran alone ended its process, so it is charged for that.",
        "After three times it ends as `lost`; look at its script.",
    ),
    ("job.damaged", "A job has a field that cannot be read, so it ended in error.", "Find the program that wrote it."),
    ("job.log_file_refused", "What a script printed could not be written to its file.", "Repair what `error` says."),
    ("job.log_lost", "What a script printed is missing in its log, because the store was away.", ""),
    ("job.ran", "A lane has run a job.", ""),
    (
        "job.result_refused",
        "A result came too late: the job was handed to another actor meanwhile.",
        "If it is repeated, raise `lease_s`.",
    ),
    ("job.stopping", "A running job is being stopped, because somebody asked for that.", ""),
    (
        "job.stuck",
        "A job did not end at its deadline and cannot be interrupted; its actor is replaced.",
        'Set `isolation = "process"` for such scripts.',
    ),
    ("lane.crashed", "A lane failed because of a defect; the actor ends and is replaced.", _REPORT),
    (
        "lane.results_lost",
        "An actor ended while the store was away, with results that it could not write; these jobs run again.",
        "",
    ),
    (
        "net.refused",
        "A script wanted to connect to a place that is not allowed.",
        "Allow the place in `net` of `[actors.allow]`, or `ssh` in `run`, if it should.",
    ),
    ("order.impossible", "A job that somebody wants to stop cannot be stopped; `error` says why.", ""),
    ("order.unknown", "A foreign client sent an order that is none.", "Correct that client."),
    ("programs.killed", "Programs that a script had started did not end with it, and were killed.", ""),
    (
        "scratch.not_removed",
        "The folder of a finished run could not be deleted.",
        "Delete it by hand; `reason` says why.",
    ),
    ("store.back", "The store answers again.", ""),
    ("store.lost", "An actor cannot reach the store; it is tried again.", "Bring it back, or repair the network."),
    (
        "store.refused",
        "The store answers, but refuses; it is tried again.",
        "Repair what it says: memory, permissions, a replica, a key of another type.",
    ),
    ("traces.not_sent", "The receiver of traces does not take them; they are dropped.", "Bring it back."),
    ("traces.sent_again", "The receiver of traces takes them again; `dropped` are missing.", ""),
    ("traces.unavailable", "Traces are asked for, but cannot be made.", "Do what `remedy` says."),
)
