// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of lists.
    ListsApi {
        /// Return up to `count` jobs, the newest move first; repeat with the returned cursor until it is empty.
        /// Jobs that have moved recently come first, then those that have waited, run or failed for longer. A page
        /// may be empty although more follow. Keys that cannot be read as a job are listed only when there is no
        /// filter. Jobs that ended so long ago that the store's events no longer have them, and those that other
        /// programs have created but not queued, are found by search_jobs. Scope: read.
        list_jobs(; options: &ListJobsOptions) -> JobList;

        /// Return the jobs that wait in a queue, or in all queues, in the order in which actors will claim them.
        /// `place` counts the ids in the list before the job, from 1. The list of a paused queue comes last; so do
        /// jobs of low priority, with places of their own. The id of a job that was stopped counts until an actor
        /// meets it. Scope: read.
        list_waiting(; options: &ListWaitingOptions) -> WaitingJobs;

        /// Return the jobs that wait for their time, the soonest first. Scope: read.
        list_delayed(; options: &ListDelayedOptions) -> DelayedJobs;

        /// Return the jobs that wait for prerequisites or in line for a key, the longest first; see explain_job.
        /// Scope: read.
        list_blocked(; options: &ListBlockedOptions) -> BlockedJobs;

        /// Return the jobs that actors have claimed, with actor, host and lane. While jobs are fast, a lane claims
        /// several and runs them one after another. Scope: read.
        list_active(; options: &ListActiveOptions) -> RunningJobs;

        /// Look for jobs among all keys of the store, a page of keys per call, until the cursor is empty. A search
        /// takes long in a large store; `walked` and `total` tell how far it has come. Jobs are in no order, and a
        /// page may repeat a job of an earlier one. Scope: read.
        search_jobs(; options: &SearchJobsOptions) -> FoundJobs;
    }
}
