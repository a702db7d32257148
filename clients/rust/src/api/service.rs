// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of service.
    ServiceApi {
        /// Return what the deployment has counted per script type: by period, and since it began. Counted are runs
        /// that started, jobs that ended (`finished`, `stopped`, `failed`, `errors` by kind), `retries`,
        /// `redeliveries`, `lost` jobs, and as histograms how long jobs waited and ran. There is a history of a day
        /// by minutes, and of 30 days by hours; without `resolution_s` it has some 300 periods at most. A script
        /// type of which nothing was counted is left out. Damaged jobs have the script type `unknown`. Scope: read.
        get_history(; options: &GetHistoryOptions) -> HistoryView;

        /// Return figures of the deployment: queues, actors, dead letters. Scope: read.
        stats() -> Stats;

        /// Say whether the service can do its work: "ok", or "degraded" and why; and which settings endanger jobs.
        /// Scope: read.
        health() -> Health;

        /// Return the version of the runtime. Scope: read.
        version() -> Version;
    }
}
