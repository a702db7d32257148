// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

use super::*;

/// What was counted of a script type, with one entry per period; `errors` has such a list per kind of error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountSeries {
    pub script_type: String,
    pub started: Vec<i64>,
    pub finished: Vec<i64>,
    pub stopped: Vec<i64>,
    pub failed: Vec<i64>,
    pub errors: BTreeMap<String, Vec<i64>>,
    pub retries: Vec<i64>,
    pub redeliveries: Vec<i64>,
    pub lost: Vec<i64>,
    pub wait: DurationSeries,
    pub run: DurationSeries,
}

/// What was counted of a script type since the deployment began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CountTotals {
    pub script_type: String,
    pub started: i64,
    pub finished: i64,
    pub stopped: i64,
    pub failed: i64,
    pub errors: BTreeMap<String, i64>,
    pub retries: i64,
    pub redeliveries: i64,
    pub lost: i64,
    pub wait: DurationTotals,
    pub run: DurationTotals,
}

/// How long something took, with one entry per period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DurationSeries {
    pub count: Vec<i64>,
    pub sum_s: Vec<f64>,
    pub buckets: Vec<Vec<i64>>,
}

/// How long something took: how often, the sum, and how many in each bucket; see `bounds_s`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DurationTotals {
    pub count: i64,
    pub sum_s: f64,
    pub buckets: Vec<i64>,
}

/// The health of the service: `status` is "ok" or "degraded", `problem` says why it is degraded. `warnings` has the
/// settings of the store that may lose jobs, each with what it does and what to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub status: HealthState,
    pub problem: Option<String>,
    pub warnings: Vec<String>,
    pub uptime_s: f64,
}

/// Whether the service does its work.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    Ok,
    Degraded,
    /// A newer service said so.
    #[serde(untagged)]
    Other(String),
}

/// Counters by period and in all. All times are of the store's clock, in ms since 1970. `times_ms` has the start of
/// each period, the oldest first; the last one is not over. Each list of `series` has one entry per period.
/// `bounds_s` has the upper bounds of the buckets but for the last bucket, which has none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryView {
    pub now_ms: i64,
    pub resolution_s: i64,
    pub times_ms: Vec<i64>,
    pub bounds_s: Vec<f64>,
    pub series: Vec<CountSeries>,
    pub totals: Vec<CountTotals>,
}

/// The version of the runtime, and the OpenRPC version of the document that `rpc.discover` returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub name: String,
    pub version: String,
    pub openrpc: String,
}

/// The optional parameters of `get_history`.
#[derive(Default, Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GetHistoryOptions {
    /// How far back to go, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_s: Option<i64>,
    /// Length of a period in seconds: a multiple of 60; if span_s is more than a day, of 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution_s: Option<i64>,
    /// Only this script type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script_type: Option<String>,
}
