// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of subscriptions.
    SubscriptionsApi {
        /// Return past events of jobs or actors, the oldest first; `hero_subscribe` sends the same as they happen.
        /// Repeat with the returned cursor while there is `more`; later, with the last one, for what is new. A page
        /// may be empty although more follow, and has more events than `count` if jobs changed together. With
        /// job_ids, only events of these jobs. The record of changes has get_audit, the log of a job get_job_logs.
        /// Scope: read.
        list_events(; options: &ListEventsOptions) -> EventPage;
    }
}
