//! Which calls may be repeated after their answer was lost, and the ids that make them so.

use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use crate::rules::RULES;

const FIRST_PAUSE: Duration = Duration::from_millis(125);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// As `x-repeat` would say of the names that `rpc.discover` does not describe.
const FAMILY: &[(&str, &str)] = &[
    ("job.logs", "safe"),
    ("job.result", "safe"),
    ("job.run", "id"),
    ("job.status", "safe"),
    ("job.stop", "safe"),
    ("jobs.create", "id"),
    ("jobs.list", "safe"),
    ("rpc.discover", "safe"),
];

/// Gives a job or an act an id if the call may then be repeated, and tells whether it may.
///
/// A signed job gets none, because that would change what was signed.
pub(crate) fn prepared(
    method: &str,
    params: Option<Box<RawValue>>,
) -> serde_json::Result<(Option<Box<RawValue>>, bool)> {
    let field = match rule(method) {
        "safe" => return Ok((params, true)),
        "no" => return Ok((params, false)),
        field => field,
    };
    let Some(raw) = params else { return Ok((None, false)) };
    let Ok(mut given) = serde_json::from_str::<Map<String, Value>>(raw.get()) else {
        return Ok((Some(raw), false)); // by position
    };
    let named = match given.get_mut("job") {
        Some(Value::Object(job)) => job,
        _ => &mut given,
    };
    if named.get(field).is_some_and(|id| !id.is_null()) {
        return Ok((Some(raw), true));
    }
    if named.get("signatures").is_some_and(|list| list.as_array().is_none_or(|list| !list.is_empty())) {
        return Ok((Some(raw), false));
    }
    named.insert(field.to_owned(), Value::String(uuid::Uuid::new_v4().to_string()));
    Ok((Some(to_raw_value(&given)?), true))
}

fn rule(method: &str) -> &'static str {
    for rules in [RULES, FAMILY] {
        if let Ok(at) = rules.binary_search_by_key(&method, |(name, _)| name) {
            return rules[at].1;
        }
    }
    "no"
}

/// The pause before try number `tries + 1`: twice as long each time, and not the same for all clients.
pub(crate) fn pause_of(tries: u32) -> Duration {
    let pause = FIRST_PAUSE.saturating_mul(1 << tries.min(8)).min(LONGEST_PAUSE);
    pause.mul_f64(0.5 + f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 512.0)
}
