// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of acts.
    ActsApi {
        /// Stop many jobs in the background, by their ids or by a filter; get_act tells how far this is. Scope:
        /// user.
        stop_jobs(reason: &str; options: &StopJobsOptions) -> ActView;

        /// Run many jobs again that ended in error or were stopped, in the background, by their ids or by a filter.
        /// Scope: user.
        retry_jobs(reason: &str; options: &RetryJobsOptions) -> ActView;

        /// Delete many jobs in the background, by their ids or by a filter; running jobs are refused. Scope: user.
        delete_jobs(reason: &str; options: &DeleteJobsOptions) -> ActView;

        /// Say how far an act on many jobs is: `running`, `done`, `failed`, or `interrupted` with its supervisor.
        /// Scope: read.
        get_act(act_id: &str) -> ActView;

        /// Return who has changed what through JSON-RPC, the oldest entry first; follow it by the topic `audit`.
        /// Scope: admin.
        get_audit(after: Option<&str>, count: Option<i64>) -> AuditLog;
    }
}
