// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of jobs.
    JobsApi {
        /// Store a job and return its id; start_job then queues it. Give one object, or the job's fields by name.
        /// Scope: user.
        create_job(job: &JobFields) -> String;

        /// Put a created job on the queue of its script type. Scope: user.
        start_job(job_id: &str) -> Started;

        /// Create and start a job, wait until it has ended, and return its output. Give the job as one object, or
        /// its fields by name, or script and script type in this order. Unless you give an object, caller_id and
        /// context_id are optional. The call waits for the job's timeout and another 60 seconds, which cover the
        /// time in the queue. Scope: user.
        run_job(job: &JobFields) -> String;

        /// Run a script and return its output; the same as run_job with only a script, by default for OSIS. Scope:
        /// user.
        play(script: &str, script_type: Option<ScriptType>) -> PlayResult;

        /// Return a job with its status and its result. Scope: read.
        get_job(job_id: &str) -> JobView;

        /// Return the status of a job. Scope: read.
        get_job_status(job_id: &str) -> JobStatus;

        /// Return the output of a finished job, or null while it has not ended; an error if it failed. Scope: read.
        get_job_output(job_id: &str) -> Option<String>;

        /// Return the lines that a job's script has printed after a cursor; "" begins with the first line kept. The
        /// lines can be read while the script runs and after it has ended. Scope: read.
        get_job_logs(job_id: &str, after: Option<&str>, count: Option<i64>) -> JobLog;

        /// Stop a job and return its status: "stopping" if it runs. A job that has ended keeps its status. Scope:
        /// user.
        stop_job(job_id: &str) -> JobStatus;

        /// Run a job again that ended in error or was stopped. Scope: user.
        retry_job(job_id: &str) -> Started;

        /// Delete a job that is not running. Scope: user.
        delete_job(job_id: &str) -> ();

        /// Say why a job does not run: its place in the queue, a pause, its time, other jobs, a key, missing
        /// actors. `reason` is one of not_started, delayed, repeated, late, prerequisites, in_line, paused,
        /// no_actor, actors_silent, actors_unavailable, expired, queued, not_queued, claimed, running, stopping,
        /// ended. `held_actors` has the processes of this supervisor that serve the script type and do not run.
        /// Scope: read.
        explain_job(job_id: &str) -> JobExplanation;

        /// Return the newest ten attempts of a job, the oldest first: who ran it, when, and how it ended. Scope:
        /// read.
        get_job_attempts(job_id: &str) -> Vec<AttemptView>;
    }
}
