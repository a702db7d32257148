// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// An entry of the config: its processes and how many it should have; `max` is 0 if it does not scale itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorEntryView {
    pub name: String,
    pub script_type: String,
    pub group: Option<String>,
    pub count: i64,
    pub min: i64,
    pub max: i64,
    pub restart: Restart,
    pub strategy: Strategy,
    pub scaling: Option<ScalingView>,
    pub slots: Vec<SlotView>,
}

/// One line that a process of a slot has written; `number` counts the lines of the slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorLineView {
    pub number: i64,
    pub at: String,
    pub incarnation: String,
    pub level: String,
    pub text: String,
}

/// The newest lines of a slot, oldest first, and the cursor to continue with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActorLog {
    pub lines: Vec<ActorLineView>,
    pub cursor: i64,
}

/// A function for scripts; `allowed_by` is the setting that allows it, null if it needs none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FunctionView {
    pub name: String,
    pub family: String,
    pub signature: String,
    pub summary: String,
    pub example: String,
    pub blocks: bool,
    pub action: Option<String>,
    pub allowed: bool,
    pub allowed_by: Option<String>,
}

/// An actor; `supervised` has what this supervisor knows of it, null if another one supervises it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedActor {
    pub incarnation: String,
    pub name: String,
    pub script_type: ScriptType,
    pub host: String,
    pub pid: Option<i64>,
    pub lanes: i64,
    pub busy: i64,
    pub jobs: i64,
    pub engine: String,
    pub engine_version: String,
    pub group: Option<String>,
    pub instance: Option<String>,
    pub started_at: Option<String>,
    pub beat_at: Option<String>,
    pub unavailable: Option<String>,
    pub supervised: Option<SlotView>,
}

/// The entries that a reload has changed, and the settings that take effect only after a restart of the service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    pub added: Vec<String>,
    pub removed: Vec<String>,
    pub changed: Vec<String>,
    pub scaled: Vec<String>,
    pub needs_restart: Vec<String>,
    pub rolled: Rolled,
}

/// After which ends a child is started again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    Permanent,
    Transient,
    Temporary,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// The slots that have a new process; `done` is false if the restart still goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rolled {
    pub done: bool,
    pub replaced: Vec<String>,
}

/// The load of an entry that scales automatically: expected wait, use of lanes, reason of the last change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScalingView {
    pub wait_s: f64,
    pub r#use: f64,
    pub reason: String,
}

/// A process that this supervisor keeps running; `role` is "owner", or its part in a rolling restart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlotView {
    pub slot: String,
    pub entry: String,
    pub phase: Phase,
    pub role: String,
    pub pid: Option<i64>,
    pub incarnation: String,
    pub restarts: i64,
    pub held: bool,
    pub holds: i64,
    pub starts_in_s: Option<f64>,
    pub waits_for: Vec<String>,
    pub last_exit: String,
    pub for_s: f64,
    pub busy: i64,
    pub jobs: i64,
    pub rss_bytes: i64,
    pub unavailable: Option<String>,
}

/// Which processes of a group are restarted when one of them has crashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    OneForOne,
    RestForOne,
    OneForAll,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}
