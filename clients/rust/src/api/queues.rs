// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::methods;
use crate::types::*;

methods! {
    /// The methods of queues.
    QueuesApi {
        /// Return each queue with the number of waiting jobs and, if it is paused, since when. The queue of each
        /// script type is listed always, the queue of a group while an actor of the group is known. Scope: read.
        list_queues() -> Vec<QueueView>;

        /// Pause a queue: its jobs and new ones wait, running jobs go on. Pausing it again changes nothing. Scope:
        /// admin.
        pause_queue(script_type: ScriptType, group: Option<&str>, instance: Option<&str>) -> QueueView;

        /// Resume a paused queue. Scope: admin.
        resume_queue(script_type: ScriptType, group: Option<&str>, instance: Option<&str>) -> QueueView;

        /// Stop all jobs that wait in a queue, paused or not; each ends as stopped, with a reply. Running jobs go
        /// on. Scope: admin.
        purge_queue(script_type: ScriptType, group: Option<&str>, instance: Option<&str>) -> QueuePurged;

        /// Create a job repeatedly, by cron or interval; an existing schedule of this name is replaced. Do not give
        /// the job an id. Its id consists of the schedule's name and the tick, so each tick creates one job, no
        /// matter how many supervisors run. Scope: admin.
        create_schedule(name: &str, job: &JobFields; options: &CreateScheduleOptions) -> ScheduleView;

        /// Return all schedules by name, with their last job and the time of their next one, or that they are
        /// paused. Scope: read.
        list_schedules() -> Vec<ScheduleView>;

        /// Let a schedule create no jobs until it is resumed; a job that runs goes on. Pausing it again changes
        /// nothing. `create_schedule` of this name resumes it, too. Scope: admin.
        pause_schedule(name: &str) -> ScheduleView;

        /// Resume a paused schedule; it goes on with its next tick, and what it missed stays missed. Scope: admin.
        resume_schedule(name: &str) -> ScheduleView;

        /// Delete a schedule; the jobs that it has created stay. Scope: admin.
        delete_schedule(name: &str) -> ();
    }
}
