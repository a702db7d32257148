"""The commands that make a job of a script: run, submit."""

from __future__ import annotations

from typing import Annotated

from hero_ctl.connect.store import open_supervisor, own_name
from hero_ctl.exits import CtlExitCode
from hero_ctl.job_fields import OneTimeJobOptions, job_fields
from hero_ctl.options import Quiet, Script, ScriptArgs, ScriptFile, StoreOptions, Yes, duration
from hero_ctl.output.console import echo, fail, print_note, print_result
from hero_ctl.output.error_messages import explain
from hero_ctl.parameters import Option
from hero_ctl.running.script import note_language, read_script
from hero_ctl.running.waiting import Watch, ensure_known
from hero_job.model.errors import JobFailed
from hero_job.model.job import Job

_PAGE = 500


def run(
    *,
    script: Script = None,
    args: ScriptArgs = None,
    file: ScriptFile = None,
    options: OneTimeJobOptions,
    wait: Annotated[
        float | None,
        Option(
            "--wait",
            parser=duration,
            metavar="TIME",
            show_default="the timeout, plus a minute for the queue",
            help="Stop waiting after this long; the job goes on.",
        ),
    ] = None,
    stop_on_interrupt: Annotated[
        bool, Option("--stop-on-interrupt", help="Ctrl-C stops the job instead of asking; a second one leaves.")
    ] = False,
    quiet: Quiet = False,
    yes: Yes = False,
    store: StoreOptions,
) -> None:
    """Run a script, wait for it, and print its output.

    What the script prints goes to standard error, as it prints it; --quiet omits it. Times are seconds, or 10m,
    2h30m, 7d.
    """
    if quiet and store.verbose:
        fail("--quiet and --verbose contradict each other: leave one of them out", CtlExitCode.USAGE)
    source = read_script(script, file, args)
    fields = job_fields(source.text, options, source.args)
    note_language(source.text, options.script_type)
    with open_supervisor(store) as supervisor:
        if options.caller_id is None:
            fields["caller_id"] = own_name(supervisor) or fields["caller_id"]
        job = Job.from_fields(fields)
        ensure_known(supervisor, yes=yes)
        watch = Watch(supervisor, job, wait, quiet=quiet, stop_on_interrupt=stop_on_interrupt)
        try:
            text = watch.result()
        except JobFailed as e:
            message = explain(e, script_name=source.name)
            print_note(message.text, prefix="")
            if not quiet:
                print_note(f"job {watch.job_id} ended without a result; all about it: `heroctl show {watch.job_id}`")
            raise SystemExit(message.code) from None
        except KeyboardInterrupt:
            fail(
                f"interrupted; job {watch.job_id} goes on, get its output with `heroctl output {watch.job_id}`",
                CtlExitCode.INTERRUPTED,
            )
    print_result(text)
    if not quiet:
        print_note(f"job {watch.job_id} finished in {watch.took_s:.2f} s")


def submit(
    *,
    script: Script = None,
    args: ScriptArgs = None,
    file: ScriptFile = None,
    options: OneTimeJobOptions,
    yes: Yes = False,
    store: StoreOptions,
) -> None:
    """Queue a script and print the id of its job."""
    source = read_script(script, file, args)
    fields = job_fields(source.text, options, source.args)
    note_language(source.text, options.script_type)
    with open_supervisor(store) as supervisor:
        if options.caller_id is None:
            fields["caller_id"] = own_name(supervisor) or fields["caller_id"]
        job = Job.from_fields(fields)
        ensure_known(supervisor, yes=yes)
        echo(supervisor.submit_job(job))
