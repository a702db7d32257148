// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of batches.
    BatchesApi {
        /// Create many jobs as one batch, start them unless told otherwise, and return their ids. A job that is
        /// refused is listed with its error; the others are created. Scope: user.
        create_jobs(jobs: &[JobFields], start: Option<bool>, batch_id: Option<&str>) -> BatchMade;

        /// Create and start many jobs as one batch, wait until all have ended, and return each output or error.
        /// Without a timeout, the call waits for the longest timeout of the jobs and another 60 seconds. If the
        /// time runs out, `done` is false and the jobs go on; call wait_jobs to wait for the rest. Scope: user.
        run_jobs(jobs: &[JobFields], timeout: Option<f64>, batch_id: Option<&str>) -> BatchRun;

        /// Wait until some jobs, or all jobs of a batch, have ended; if the time runs out, `done` is false. Given
        /// job_ids, it returns each output or error; given batch_id, it returns how many jobs are in which state.
        /// Scope: read.
        wait_jobs(; options: &WaitJobsOptions) -> Waited;

        /// Return how many jobs of a batch are open, finished, failed and stopped. Scope: read.
        get_batch(batch_id: &str) -> BatchView;

        /// Return up to `count` batches, the newest first; repeat with the returned cursor until it is empty. The
        /// newest 10,000 batches are listed, until a week after they have ended. A page may be empty although more
        /// follow. Scope: read.
        list_batches(cursor: Option<&str>, count: Option<i64>) -> BatchList;

        /// Return `count` dead letters, the jobs that have failed permanently, newest first. Scope: read.
        list_dead(first: Option<i64>, count: Option<i64>) -> DeadList;

        /// Run dead letters again, each as retry_job does; at most 10,000 per call. Scope: admin.
        retry_dead() -> Retried;

        /// Delete dead letters together with their jobs; at most 10,000 per call. Scope: admin.
        purge_dead() -> Purged;

        /// Delete all jobs of all callers that are not running; running jobs are only counted. Scope: admin.
        clear_all_jobs() -> Cleared;
    }
}
