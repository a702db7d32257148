// Written by `python -m hero_supervisor.rpc.emit.rust`; do not edit.

//! The codes of errors of the service, by name.

/// Its kinds: `parse_error`.
pub const PARSE_ERROR: i32 = -32700;

/// Its kinds: `invalid_request`, `too_many_values`.
pub const INVALID_REQUEST: i32 = -32600;

/// Its kinds: `method_not_found`.
pub const METHOD_NOT_FOUND: i32 = -32601;

/// Its kinds: `invalid_params`, `job_invalid`, `no_context`, `object_invalid`, `too_many_params`.
pub const INVALID_PARAMS: i32 = -32602;

/// Its kinds: `internal_error`.
pub const INTERNAL_ERROR: i32 = -32603;

/// Its kinds: `job_not_found`.
pub const JOB_NOT_FOUND: i32 = 1001;

/// Its kinds: `job_conflict`.
pub const JOB_CONFLICT: i32 = 1002;

/// Its kinds: `job_state`.
pub const JOB_STATE: i32 = 1003;

/// Its kinds are those of failed jobs.
pub const JOB_FAILED: i32 = 1004;

/// Its kinds: `job_damaged`.
pub const JOB_DAMAGED: i32 = 1005;

/// Its kinds: `wait_timeout`.
pub const WAIT_TIMEOUT: i32 = 1006;

/// Its kinds: `batch_not_found`.
pub const BATCH_NOT_FOUND: i32 = 1007;

/// Its kinds: `schedule_not_found`.
pub const SCHEDULE_NOT_FOUND: i32 = 1008;

/// Its kinds: `store_unavailable`.
pub const STORE_UNAVAILABLE: i32 = 1101;

/// Its kinds: `store_refused`.
pub const STORE_REFUSED: i32 = 1102;

/// Its kinds: `message_too_large`.
pub const MESSAGE_TOO_LARGE: i32 = 1201;

/// Its kinds: `batch_too_large`.
pub const BATCH_TOO_LARGE: i32 = 1202;

/// Its kinds: `shutting_down`.
pub const SHUTTING_DOWN: i32 = 1203;

/// Its kinds: `answer_too_large`.
pub const ANSWER_TOO_LARGE: i32 = 1204;

/// Its kinds: `too_many_connections`.
pub const TOO_MANY_CONNECTIONS: i32 = 1205;

/// Its kinds: `unauthenticated`, `no_session`.
pub const UNAUTHENTICATED: i32 = 1301;

/// Its kinds: `forbidden`, `no_right`, `insufficient_authorization`.
pub const FORBIDDEN: i32 = 1302;

/// Its kinds: `too_many_attempts`.
pub const TOO_MANY_ATTEMPTS: i32 = 1303;

/// Its kinds: `signature_missing`, `signature_wrong`, `signature_of_schedule`.
pub const SIGNATURE_REFUSED: i32 = 1304;

/// Its kinds: `not_supervised`.
pub const NOT_SUPERVISED: i32 = 1401;

/// Its kinds: `actor_not_found`.
pub const ACTOR_NOT_FOUND: i32 = 1402;

/// Its kinds: `actor_elsewhere`.
pub const ACTOR_ELSEWHERE: i32 = 1403;

/// Its kinds: `scale_refused`.
pub const SCALE_REFUSED: i32 = 1404;

/// Its kinds: `roll_stopped`.
pub const ROLL_STOPPED: i32 = 1405;

/// Its kinds: `functions_unknown`.
pub const FUNCTIONS_UNKNOWN: i32 = 1407;

/// Its kinds: `reload_refused`.
pub const RELOAD_REFUSED: i32 = 1406;

/// Its kinds: `object_not_found`.
pub const OBJECT_NOT_FOUND: i32 = 1601;

/// Its kinds: `object_changed`, `objects_busy`.
pub const OBJECT_CHANGED: i32 = 1602;

/// Its kinds: `push_unsupported`.
pub const PUSH_UNSUPPORTED: i32 = 1501;

/// Its kinds: `too_many_subscriptions`.
pub const TOO_MANY_SUBSCRIPTIONS: i32 = 1502;

/// Its kinds: `subscription_overflow`.
pub const SUBSCRIPTION_OVERFLOW: i32 = 1503;
