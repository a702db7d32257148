// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of actors.
    ActorsApi {
        /// Return every actor process that has joined, on any host, and those of this supervisor that have not. An
        /// actor that has not started yet, is held, or cannot start, has no beat; `supervised` says why. Scope:
        /// read.
        list_actors() -> Vec<ListedActor>;

        /// Return an entry of this supervisor with all of its processes, or with the one that you named. Scope:
        /// read.
        get_actor(name: &str) -> ActorEntryView;

        /// Return the functions that scripts of an entry may call, and those that a setting would allow. Scope:
        /// read.
        list_functions(name: &str) -> Vec<FunctionView>;

        /// Return the last lines that the processes of a slot have written, including processes that have ended.
        /// You can name an entry if it has one process. A few hundred lines are kept while the supervisor runs.
        /// Scope: admin.
        get_actor_logs(name: &str, after: Option<i64>, count: Option<i64>) -> ActorLog;

        /// Start processes that were stopped, have ended, could not start, or wait for a restart; others run on.
        /// Scope: admin.
        start_actor(name: &str) -> ActorEntryView;

        /// Stop one process, or all of an entry, until start_actor; jobs that do not end in time are handed back.
        /// Scope: admin.
        stop_actor(name: &str) -> ActorEntryView;

        /// Replace one process, those of an entry, or ("*") all, one at a time; no job is lost or run twice. The
        /// new process starts before the old one drains. Where that would break the order of a queue, the old one
        /// drains first. If a new process does not become ready, the remaining ones are not replaced. Scope: admin.
        restart_actor(name: &str, wait: Option<bool>) -> Rolled;

        /// Set the number of processes of an entry until the config changes; surplus processes drain. Scope: admin.
        scale_actors(name: &str, count: i64) -> ActorEntryView;

        /// Load the config again, apply what can change, replace affected processes, and list what needs a restart.
        /// Scope: admin.
        reload(wait: Option<bool>) -> Reloaded;
    }
}
