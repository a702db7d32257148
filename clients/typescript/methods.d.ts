// Written by `python -m hero_supervisor.rpc.emit.typescript`; do not edit.

/** What is done to each job. */
export type ActKind = 'stop' | 'retry' | 'delete';

/** Where an act on many jobs is. */
export type ActState = 'running' | 'done' | 'failed' | 'interrupted';

/** An act on many jobs: `walked` of `total` ids or keys were looked at; `problems` has the first refusals. */
export interface ActView {
  act_id: string;
  kind: ActKind;
  reason: string;
  who: string;
  state: ActState;
  done: number;
  refused: number;
  problems: DamagedJob[];
  walked: number;
  total: number;
  started_at: string;
  updated_at: string;
}

/** Actors of all hosts; the lanes of silent actors are not counted. */
export interface ActorCounts {
  alive: number;
  silent: number;
  lanes: number;
  busy: number;
}

/** An entry of the config: its processes and how many it should have; `max` is 0 if it does not scale itself. */
export interface ActorEntryView {
  name: string;
  script_type: string;
  group: string | null;
  count: number;
  min: number;
  max: number;
  restart: Restart;
  strategy: Strategy;
  scaling: ScalingView | null;
  slots: SlotView[];
}

/** An actor has joined, left, or changed its state. */
export interface ActorEvent {
  event: string;
  cursor: string;
  at: string;
  name: string;
  script_type: string | null;
  host: string | null;
  incarnation: string | null;
  reason: string | null;
}

/** One line that a process of a slot has written; `number` counts the lines of the slot. */
export interface ActorLineView {
  number: number;
  at: string;
  incarnation: string;
  level: string;
  text: string;
}

/** The newest lines of a slot, oldest first, and the cursor to continue with. */
export interface ActorLog {
  lines: ActorLineView[];
  cursor: number;
}

/** Selects events of actors; an absent field matches all. Without `after`, events from now on. */
export interface ActorsWanted {
  name?: string;
  script_type?: ScriptType;
  host?: string;
  /** Cursor of a notification; "" for the beginning. */
  after?: string;
}

/**
 * How an attempt ended: `failed` if the job was to be repeated, `interrupted` if its actor ended, `crashed` if
 * it ended the process that it ran in alone.
 */
export type AttemptOutcome = 'finished' | 'error' | 'stopped' | 'failed' | 'interrupted' | 'crashed' | 'running';

/** One attempt of a job; `ended_at` is null while it runs. */
export interface AttemptView {
  attempt: number;
  owner: string;
  started_at: string;
  ended_at: string | null;
  outcome: AttemptOutcome;
  error_kind: string | null;
  error: string | null;
}

/** Somebody has changed something. */
export interface AuditEvent {
  cursor: string;
  at: string;
  who: string;
  scope: string;
  by: string;
  peer: string;
  method: string;
  params: string;
  outcome: string;
  event: 'change';
}

/** Entries of the record of changes, the oldest first, and the cursor to continue with. */
export interface AuditLog {
  entries: AuditView[];
  cursor: string;
}

/** Somebody has changed something; `params` is JSON without secrets and scripts. */
export interface AuditView {
  cursor: string;
  at: string;
  who: string;
  scope: string;
  by: string;
  peer: string;
  method: string;
  params: string;
  outcome: string;
}

/** Selects the record of changes; without `after`, changes from now on. */
export interface AuditWanted {
  /** Cursor of a notification; "" for the beginning. */
  after?: string;
}

/** A page of batches; `damaged` are those whose counts cannot be read, `cursor` is empty after the last page. */
export interface BatchList {
  batches: BatchRow[];
  damaged: DamagedJob[];
  cursor: string;
}

/** A batch whose jobs were created, except those in `refused`; `batch_id` is null if all were refused. */
export interface BatchMade {
  batch_id: string | null;
  job_ids: string[];
  refused: RefusedJob[];
}

/** A batch of the list; `began_at` is when it was announced, `caller_id` null if it belongs to no caller. */
export interface BatchRow {
  batch_id: string;
  total: number;
  open: number;
  finished: number;
  error: number;
  stopped: number;
  began_at: string;
  caller_id: string | null;
}

/** A batch after a wait; `done` is false if the time ran out before all jobs had ended. */
export interface BatchRun {
  batch_id: string | null;
  done: boolean;
  jobs: JobEnd[];
  refused: RefusedJob[];
}

/** How many jobs of a batch are in which state. */
export interface BatchView {
  batch_id: string;
  total: number;
  open: number;
  finished: number;
  error: number;
  stopped: number;
}

/** A job that waits for others: for `prerequisites`, or in line for a place under `concurrency_key`. */
export interface BlockedJob {
  id: string;
  status: JobStatus;
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  priority: Priority;
  caller_id: string;
  context_id: string;
  batch: string | null;
  script: string;
  error: string | null;
  error_kind: string | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  failures: number;
  blocked_since: string | null;
  prerequisites: string[];
  concurrency_key: string | null;
}

/** One page of blocked jobs, the longest first; an empty cursor means that it is the last page. */
export interface BlockedJobs {
  jobs: BlockedJob[];
  damaged: DamagedJob[];
  cursor: string;
}

/** How many jobs were deleted, and how many were kept because they run. */
export interface Cleared {
  deleted: number;
  running: number;
}

/** What was counted of a script type, with one entry per period; `errors` has such a list per kind of error. */
export interface CountSeries {
  script_type: string;
  started: number[];
  finished: number[];
  stopped: number[];
  failed: number[];
  errors: Record<string, number[]>;
  retries: number[];
  redeliveries: number[];
  lost: number[];
  wait: DurationSeries;
  run: DurationSeries;
}

/** What was counted of a script type since the deployment began. */
export interface CountTotals {
  script_type: string;
  started: number;
  finished: number;
  stopped: number;
  failed: number;
  errors: Record<string, number>;
  retries: number;
  redeliveries: number;
  lost: number;
  wait: DurationTotals;
  run: DurationTotals;
}

/** A key in the store that cannot be read as a job. */
export interface DamagedJob {
  id: string;
  reason: string;
}

/** Some dead letters, newest first, and how many there are in total. */
export interface DeadList {
  dead: DeadView[];
  total: number;
}

/** A job that has failed permanently; the fields of its record are null after the record has expired. */
export interface DeadView {
  job_id: string;
  died_at: string;
  script_type: ScriptType | null;
  caller_id: string | null;
  error: string | null;
  error_kind: string | null;
}

/** A job that waits for its time. */
export interface DelayedJob {
  id: string;
  status: JobStatus;
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  priority: Priority;
  caller_id: string;
  context_id: string;
  batch: string | null;
  script: string;
  error: string | null;
  error_kind: string | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  failures: number;
  due_at: string | null;
}

/** One page of delayed jobs, the soonest first; an empty cursor means that it is the last page. */
export interface DelayedJobs {
  jobs: DelayedJob[];
  damaged: DamagedJob[];
  cursor: string;
}

/** How long something took, with one entry per period. */
export interface DurationSeries {
  count: number[];
  sum_s: number[];
  buckets: number[][];
}

/** How long something took: how often, the sum, and how many in each bucket; see `bounds_s`. */
export interface DurationTotals {
  count: number;
  sum_s: number;
  buckets: number[];
}

/** An error inside a result, in the shape that it has in an answer. */
export interface ErrorView {
  code: number;
  message: string;
  data: Record<string, unknown>;
}

/** A page of events; `more` follow after `cursor`; after a `gap` the store no longer has some before them. */
export interface EventPage {
  events: (JobEvent | ActorEvent)[];
  cursor: string;
  more: boolean;
  gap: boolean;
}

/** One page of a search: `walked` of `total` keys were looked at; an empty cursor means that it has ended. */
export interface FoundJobs {
  jobs: JobRow[];
  damaged: DamagedJob[];
  cursor: string;
  walked: number;
  total: number;
}

/** A function for scripts; `allowed_by` is the setting that allows it, null if it needs none. */
export interface FunctionView {
  name: string;
  family: string;
  signature: string;
  summary: string;
  example: string;
  blocks: boolean;
  action: string | null;
  allowed: boolean;
  allowed_by: string | null;
}

/** What a connection may do; each scope includes those before it. */
export type GrantedScope = 'none' | 'read' | 'user' | 'admin';

/**
 * The health of the service: `status` is "ok" or "degraded", `problem` says why it is degraded. `warnings` has
 * the settings of the store that may lose jobs, each with what it does and what to do.
 */
export interface Health {
  status: HealthState;
  problem: string | null;
  warnings: string[];
  uptime_s: number;
}

/** Whether the service does its work. */
export type HealthState = 'ok' | 'degraded';

/** A process of this supervisor that would serve the queue and does not run; `why` says how it ended. */
export interface HeldActor {
  slot: string;
  phase: Phase;
  why: string;
}

/**
 * Counters by period and in all. All times are of the store's clock, in ms since 1970. `times_ms` has the start
 * of each period, the oldest first; the last one is not over. Each list of `series` has one entry per period.
 * `bounds_s` has the upper bounds of the buckets but for the last bucket, which has none.
 */
export interface HistoryView {
  now_ms: number;
  resolution_s: number;
  times_ms: number[];
  bounds_s: number[];
  series: CountSeries[];
  totals: CountTotals[];
}

/**
 * Whom a connection speaks for, and how it has authenticated: "token", "signature", "peer" or null. `peer` is
 * null over TCP.
 */
export interface Identity {
  name: string | null;
  scope: GrantedScope;
  by: string | null;
  peer: Peer | null;
}

/** A job after a wait: `output` if it finished, `error` if it failed, both null while it goes on. */
export interface JobEnd {
  job_id: string;
  status: JobStatus | null;
  output: string | null;
  error: ErrorView | null;
}

/** A job has changed its status; the fields of its record are null if the record has been deleted. */
export interface JobEvent {
  event: 'job';
  cursor: string;
  at: string;
  job_id: string;
  status: JobStatus;
  caller_id: string | null;
  context_id: string | null;
  script_type: string | null;
}

/** Why a job does not run: `text` in a sentence, `reason` as a word, the rest as data. */
export interface JobExplanation {
  job_id: string;
  status: JobStatus;
  reason: WaitReason;
  text: string;
  queue: string;
  place: number | null;
  waiting: number | null;
  paused_since: string | null;
  due_at: string | null;
  expires_at: string | null;
  prerequisites: PrerequisiteView[];
  key: string | null;
  held_by: string[];
  actors: string[];
  held_actors: HeldActor[];
  owner: string | null;
}

/** The fields of a job that a client sends. camelCase names are accepted too; unknown fields are refused. */
export interface JobFields {
  /** The submitter, usually a public key. */
  caller_id: string;
  /** The context that it runs for, usually a public key. */
  context_id: string;
  /** Source text. */
  script: string;
  /** OSIS, SAL, V or Python, in any case. */
  script_type: ScriptType;
  /** An id that you choose; the same job sent twice is then one job. Default: a new UUID. */
  id?: string;
  /** Longest run time in seconds. */
  timeout?: number;
  /** Most memory that it may hold, in bytes. The limit of the actor stands if it is lower. */
  memory_bytes?: number;
  /** How often a failed run is repeated. */
  retries?: number;
  /** Kept for the Rust system. */
  concurrent?: boolean;
  /** File that printed lines are also written to. */
  log_path?: string;
  /** Variables that the script can read. */
  env_vars?: Record<string, string>;
  /** Arguments, which the script reads as `ARGS`. */
  script_args?: string[];
  /** Ids of jobs that must finish first. */
  prerequisites?: string[];
  /** Ids of jobs that wait for this one. */
  dependents?: string[];
  /** Group of actors that runs it. */
  group?: string;
  /** Actor of the group that runs it. */
  instance?: string;
  /** high, normal or low: to the front of the queue, to its end, or after everything else. */
  priority?: Priority;
  /** Run it even if a prerequisite has failed. */
  run_after_failure?: boolean;
  /** Earliest start, as ISO 8601 with a time zone. */
  not_before?: string;
  /** Earliest start, in seconds after start_job. */
  delay_s?: number;
  /** It ends as expired if it has not started so many seconds after start_job. */
  expires_s?: number;
  /** While a job with this key has not ended, its id is returned instead of a new job. */
  unique_key?: string;
  /** The key holds for so many seconds instead. */
  unique_for_s?: number;
  /** At most concurrency_max jobs with this key run simultaneously; the others wait. */
  concurrency_key?: string;
  /** See concurrency_key. */
  concurrency_max?: number;
  /** At most rate_max jobs with this key start in rate_window_s seconds; the others start later. */
  rate_key?: string;
  /** See rate_key. */
  rate_max?: number;
  /** See rate_key. */
  rate_window_s?: number;
  /** The batch that it belongs to. */
  batch?: string;
  /** The span of its submitter in a distributed trace, as W3C writes it. */
  traceparent?: string;
  /** Its signatures: {public_key, signature} in hex, each. */
  signatures?: Record<string, string>[];
}

/** Which jobs; fields that are left out match all jobs, and all fields that are given must match. */
export interface JobFilterParams {
  status?: JobStatus;
  script_type?: ScriptType;
  caller_id?: string;
  context_id?: string;
  batch?: string;
  group?: string;
  error_kind?: string;
  created_after?: string;
  created_before?: string;
  /** What the id begins with. */
  id_prefix?: string;
  /** What script or error contain; ASCII letters match in either case. */
  text?: string;
}

/** One page of jobs, the newest move first; an empty cursor means that it is the last page. */
export interface JobList {
  jobs: JobView[];
  damaged: DamagedJob[];
  cursor: string;
}

/** Lines of a job's log, oldest first, and the cursor to continue with. */
export interface JobLog {
  lines: LogLineView[];
  cursor: string;
}

/** A job in a list; `script` and `error` have their first 200 characters, get_job has all of it. */
export interface JobRow {
  id: string;
  status: JobStatus;
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  priority: Priority;
  caller_id: string;
  context_id: string;
  batch: string | null;
  script: string;
  error: string | null;
  error_kind: string | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  failures: number;
}

/** Where a job is in its life. Redis and the wire carry these values. */
export type JobStatus = 'created' | 'waiting_for_prerequisites' | 'scheduled' | 'dispatched' | 'started' | 'stopping' | 'finished' | 'error' | 'stopped';

/** A job with its status and its result. */
export interface JobView {
  id: string;
  caller_id: string;
  context_id: string;
  script: string;
  script_type: ScriptType;
  timeout: number;
  memory_bytes: number | null;
  retries: number;
  concurrent: boolean;
  log_path: string | null;
  env_vars: Record<string, string>;
  script_args: string[];
  prerequisites: string[];
  dependents: string[];
  group: string | null;
  instance: string | null;
  priority: Priority;
  run_after_failure: boolean;
  not_before: string | null;
  delay_s: number;
  expires_s: number | null;
  unique_key: string | null;
  unique_for_s: number | null;
  concurrency_key: string | null;
  concurrency_max: number;
  rate_key: string | null;
  rate_max: number;
  rate_window_s: number;
  batch: string | null;
  traceparent: string | null;
  signatures: SignatureView[];
  status: JobStatus;
  output: string | null;
  output_json: string | null;
  error: string | null;
  error_kind: string | null;
  error_line: number | null;
  error_column: number | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  redeliveries: number;
  rerun_reason: string | null;
  failures: number;
  owner: string | null;
  progress: ProgressView | null;
}

/** Selects job events; an absent field matches all. Without `after`, events from now on. */
export interface JobsWanted {
  job_ids?: string[];
  caller_id?: string;
  context_id?: string;
  script_type?: ScriptType;
  status?: JobStatus[];
  /** Cursor of a notification; "" for the beginning. */
  after?: string;
}

/** An actor; `supervised` has what this supervisor knows of it, null if another one supervises it. */
export interface ListedActor {
  incarnation: string;
  name: string;
  script_type: ScriptType;
  host: string;
  pid: number | null;
  lanes: number;
  busy: number;
  jobs: number;
  engine: string;
  engine_version: string;
  group: string | null;
  instance: string | null;
  started_at: string | null;
  beat_at: string | null;
  unavailable: string | null;
  supervised: SlotView | null;
}

/** The job has ended and all of its log has been sent; the subscription ends with this. */
export interface LogEnd {
  event: 'end';
  cursor: string;
  job_id: string;
  status: JobStatus | null;
}

/** A script has printed a line. */
export interface LogEvent {
  event: 'line';
  cursor: string;
  at: string;
  level: string;
  text: string;
}

/** One line that a script has printed. */
export interface LogLineView {
  cursor: string;
  at: string;
  level: string;
  text: string;
}

/** Selects the log of a job; without `after`, all lines. */
export interface LogWanted {
  /** Id of a job. */
  job_id: string;
  /** Cursor of a notification; "" for the beginning. */
  after?: string;
}

/** The figures that the method `stats` returns. */
export interface MetricsEvent {
  event: 'metrics';
  at: string;
  stats: Stats;
}

/** Selects the interval of metrics, in seconds. */
export interface MetricsWanted {
  interval_s?: number;
}

/** What to do about ticks at which no supervisor ran: nothing, one job for all of them, or one job for each. */
export type Missed = 'skip' | 'once' | 'all';

/**
 * An event about the subscription itself. `following` comes first, with the cursor that the subscription begins
 * after. `interrupted`: the store cannot be reached; events are sent later. `resumed`: the store can be reached
 * again. `gap`: the store no longer has some events; call get_job or list_jobs for the current state.
 */
export interface Notice {
  event: 'following' | 'interrupted' | 'resumed' | 'gap';
  cursor: string | null;
}

/** How many objects of a type a context has. */
export interface ObjectCount {
  context_id: string;
  type: string;
  count: number;
}

/** Who may do what with the objects of a context, besides its owner. A member `group:NAME` is a group. */
export interface ObjectRightsView {
  admin: string[];
  write: string[];
  read: string[];
  groups: Record<string, string[]>;
}

/** One version of an object; `written_by` is null for the operator, `job_id` is empty if no job wrote it. */
export interface ObjectView {
  sid: string;
  type: string;
  version: number;
  written_at: string | null;
  written_by: string | null;
  job_id: string;
  fields: Record<string, unknown>;
}

/** The SID and the new version of an object. */
export interface ObjectWritten {
  sid: string;
  version: number;
}

/** What to do if the job of the last tick has not ended yet. */
export type Overlap = 'skip' | 'allow';

/** The process at the other end of a Unix socket. */
export interface Peer {
  uid: number;
  gid: number;
  pid: number;
}

/** Where a child is in its life. */
export type Phase = 'waiting' | 'starting' | 'running' | 'draining' | 'ending' | 'killed' | 'failed' | 'ended' | 'stopped';

/** The output of a script. */
export interface PlayResult {
  output: string;
}

/** A job that another one waits for; `status` is null if its record is gone. */
export interface PrerequisiteView {
  job_id: string;
  status: JobStatus | null;
}

/** Where in its queue a job goes: HIGH to the front, NORMAL to the end, LOW behind everything else. */
export type Priority = 'high' | 'normal' | 'low';

/** The progress that a script has reported. */
export interface ProgressView {
  done: number;
  total: number;
  text: string;
}

/** How many dead letters were deleted together with their jobs. */
export interface Purged {
  purged: number;
}

/** How many jobs were stopped. */
export interface QueuePurged {
  stopped: number;
}

/** The queue of a script type, of a group of its actors, or of one instance of the group. */
export interface QueueView {
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  waiting: number;
  paused_since: string | null;
}

/**
 * A job of a batch that was not created: its position in the call, its id (null if it had none), and the error.
 */
export interface RefusedJob {
  index: number;
  id: string | null;
  error: ErrorView;
}

/**
 * The entries that a reload has changed, and the settings that take effect only after a restart of the service.
 */
export interface Reloaded {
  added: string[];
  removed: string[];
  changed: string[];
  scaled: string[];
  needs_restart: string[];
  rolled: Rolled;
}

/** After which ends a child is started again. */
export type Restart = 'permanent' | 'transient' | 'temporary';

/** How many jobs were started again. */
export interface Retried {
  retried: number;
}

/** The slots that have a new process; `done` is false if the restart still goes on. */
export interface Rolled {
  done: boolean;
  replaced: string[];
}

/** A job that a lane has claimed; `incarnation` is the start of the actor, `actor` its name. */
export interface RunningJob {
  id: string;
  status: JobStatus;
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  priority: Priority;
  caller_id: string;
  context_id: string;
  batch: string | null;
  script: string;
  error: string | null;
  error_kind: string | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  failures: number;
  incarnation: string;
  lane: number;
  actor: string | null;
  host: string | null;
}

/** One page of running jobs; an empty cursor means that it is the last page. */
export interface RunningJobs {
  jobs: RunningJob[];
  damaged: DamagedJob[];
  cursor: string;
}

/** The load of an entry that scales automatically: expected wait, use of lanes, reason of the last change. */
export interface ScalingView {
  wait_s: number;
  use: number;
  reason: string;
}

/**
 * A schedule; `next_at` is its next tick, in the past if it is late, and null while it is paused. `in_words`
 * says when it ticks. `last_status` is that of the last job that it created; null before the first, and once
 * that one is past its retention.
 */
export interface ScheduleView {
  name: string;
  job: Record<string, unknown>;
  cron: string | null;
  interval_s: number | null;
  tz: string;
  overlap: Overlap;
  missed: Missed;
  in_words: string;
  next_at: string | null;
  paused: boolean;
  last_job_id: string | null;
  last_status: string | null;
}

/** Which kind of actor runs a script. Written as in the Rust system's enum, read in any case. */
export type ScriptType = 'OSIS' | 'SAL' | 'V' | 'Python';

/**
 * One page of SIDs; an empty cursor means that it is the last page. A page may be short without being the last.
 */
export interface SidPage {
  sids: string[];
  cursor: string;
}

/** A signature and the public key of secp256k1 that made it, both in hex. */
export interface SignatureView {
  public_key: string;
  signature: string;
}

/** A process that this supervisor keeps running; `role` is "owner", or its part in a rolling restart. */
export interface SlotView {
  slot: string;
  entry: string;
  phase: Phase;
  role: string;
  pid: number | null;
  incarnation: string;
  restarts: number;
  held: boolean;
  holds: number;
  starts_in_s: number | null;
  waits_for: string[];
  last_exit: string;
  for_s: number;
  busy: number;
  jobs: number;
  rss_bytes: number;
  unavailable: string | null;
}

/** The job is on its queue. */
export interface Started {
  success: boolean;
}

/** Figures of the deployment. */
export interface Stats {
  queues: QueueView[];
  actors: ActorCounts;
  dead: number;
  uptime_s: number;
}

/** Which processes of a group are restarted when one of them has crashed. */
export type Strategy = 'one_for_one' | 'rest_for_one' | 'one_for_all';

/** The version of the runtime, and the OpenRPC version of the document that `rpc.discover` returns. */
export interface Version {
  name: string;
  version: string;
  openrpc: string;
}

/** What a job waits for, or why it does not wait. */
export type WaitReason = 'not_started' | 'delayed' | 'repeated' | 'late' | 'prerequisites' | 'in_line' | 'paused' | 'no_actor' | 'actors_silent' | 'actors_unavailable' | 'expired' | 'queued' | 'not_queued' | 'claimed' | 'running' | 'stopping' | 'ended';

/** The result of a wait: `batch` if the call named a batch, else `jobs` in the order of the call. */
export interface Waited {
  done: boolean;
  jobs: JobEnd[];
  batch: BatchView | null;
}

/** A job in a queue; `place` counts the ids before it, from 1. */
export interface WaitingJob {
  id: string;
  status: JobStatus;
  script_type: ScriptType;
  group: string | null;
  instance: string | null;
  priority: Priority;
  caller_id: string;
  context_id: string;
  batch: string | null;
  script: string;
  error: string | null;
  error_kind: string | null;
  created_at: string | null;
  updated_at: string | null;
  started_at: string | null;
  finished_at: string | null;
  attempt: number;
  failures: number;
  place: number;
}

/** One page of jobs in queue order; an empty cursor means that it is the last page. */
export interface WaitingJobs {
  jobs: WaitingJob[];
  damaged: DamagedJob[];
  cursor: string;
}

/** The params of a subscription, by topic. */
export interface TopicParams {
  jobs: JobsWanted;
  logs: LogWanted;
  actors: ActorsWanted;
  metrics: MetricsWanted;
  audit: AuditWanted;
}

/** The result of a subscription, by topic. */
export interface TopicEvents {
  jobs: JobEvent | Notice;
  logs: LogEvent | LogEnd | Notice;
  actors: ActorEvent | Notice;
  metrics: MetricsEvent | Notice;
  audit: AuditEvent | Notice;
}

/** The codes of errors; 0 if the connection failed. */
export type ErrorCode =
  0 | -32700 | -32600 | -32601 | -32602 | -32603 | 1001 | 1002 | 1003 | 1004 | 1005 | 1006 | 1007 | 1008 | 1101 |
  1102 | 1201 | 1202 | 1203 | 1204 | 1205 | 1301 | 1302 | 1303 | 1304 | 1401 | 1402 | 1403 | 1404 | 1405 | 1407 |
  1406 | 1601 | 1602 | 1501 | 1502 | 1503;

/** What every call takes beside its parameters. */
export interface CallOptions {
  /** Ends the wait for the answer. */
  signal?: AbortSignal;
  /** How long this call is repeated, in milliseconds; 0 for never. */
  patienceMs?: number;
}

export const METHODS: {
  create_job: {repeat: string; scope: string};
  start_job: {repeat: string; scope: string};
  run_job: {repeat: string; scope: string};
  play: {repeat: string; scope: string};
  get_job: {repeat: string; scope: string};
  get_job_status: {repeat: string; scope: string};
  get_job_output: {repeat: string; scope: string};
  get_job_logs: {repeat: string; scope: string};
  stop_job: {repeat: string; scope: string};
  retry_job: {repeat: string; scope: string};
  delete_job: {repeat: string; scope: string};
  list_jobs: {repeat: string; scope: string};
  list_waiting: {repeat: string; scope: string};
  list_delayed: {repeat: string; scope: string};
  list_blocked: {repeat: string; scope: string};
  list_active: {repeat: string; scope: string};
  search_jobs: {repeat: string; scope: string};
  explain_job: {repeat: string; scope: string};
  get_job_attempts: {repeat: string; scope: string};
  get_history: {repeat: string; scope: string};
  create_jobs: {repeat: string; scope: string};
  run_jobs: {repeat: string; scope: string};
  wait_jobs: {repeat: string; scope: string};
  get_batch: {repeat: string; scope: string};
  list_batches: {repeat: string; scope: string};
  list_dead: {repeat: string; scope: string};
  retry_dead: {repeat: string; scope: string};
  purge_dead: {repeat: string; scope: string};
  clear_all_jobs: {repeat: string; scope: string};
  list_actors: {repeat: string; scope: string};
  get_actor: {repeat: string; scope: string};
  list_functions: {repeat: string; scope: string};
  get_actor_logs: {repeat: string; scope: string};
  start_actor: {repeat: string; scope: string};
  stop_actor: {repeat: string; scope: string};
  restart_actor: {repeat: string; scope: string};
  scale_actors: {repeat: string; scope: string};
  reload: {repeat: string; scope: string};
  list_queues: {repeat: string; scope: string};
  pause_queue: {repeat: string; scope: string};
  resume_queue: {repeat: string; scope: string};
  purge_queue: {repeat: string; scope: string};
  create_schedule: {repeat: string; scope: string};
  list_schedules: {repeat: string; scope: string};
  pause_schedule: {repeat: string; scope: string};
  resume_schedule: {repeat: string; scope: string};
  delete_schedule: {repeat: string; scope: string};
  stop_jobs: {repeat: string; scope: string};
  retry_jobs: {repeat: string; scope: string};
  delete_jobs: {repeat: string; scope: string};
  get_act: {repeat: string; scope: string};
  get_audit: {repeat: string; scope: string};
  new_object: {repeat: string; scope: string};
  set_object: {repeat: string; scope: string};
  get_object: {repeat: string; scope: string};
  delete_object: {repeat: string; scope: string};
  list_objects: {repeat: string; scope: string};
  find_objects: {repeat: string; scope: string};
  get_object_history: {repeat: string; scope: string};
  list_object_types: {repeat: string; scope: string};
  get_object_rights: {repeat: string; scope: string};
  change_object_rights: {repeat: string; scope: string};
  stats: {repeat: string; scope: string};
  list_events: {repeat: string; scope: string};
  hero_subscribe: {repeat: string; scope: string};
  hero_unsubscribe: {repeat: string; scope: string};
  health: {repeat: string; scope: string};
  version: {repeat: string; scope: string};
  fetch_nonce: {repeat: string; scope: string};
  authenticate: {repeat: string; scope: string};
  whoami: {repeat: string; scope: string};
};

/** The methods of the service. */
export abstract class HeroMethods {
  abstract call(method: string, params?: object, options?: CallOptions): Promise<unknown>;

  /**
   * Store a job and return its id; start_job then queues it. Give one object, or the job's fields by name. Scope:
   * user.
   */
  createJob(params: JobFields | {job: JobFields}, options?: CallOptions): Promise<string>;

  /** Put a created job on the queue of its script type. Scope: user. */
  startJob(params: {job_id: string}, options?: CallOptions): Promise<Started>;

  /**
   * Create and start a job, wait until it has ended, and return its output. Give the job as one object, or its
   * fields by name, or script and script type in this order. Unless you give an object, caller_id and context_id
   * are optional. The call waits for the job's timeout and another 60 seconds, which cover the time in the queue.
   * Scope: user.
   */
  runJob(params: JobFields | {job: JobFields}, options?: CallOptions): Promise<string>;

  /**
   * Run a script and return its output; the same as run_job with only a script, by default for OSIS. Scope: user.
   */
  play(params: {script: string; script_type?: ScriptType}, options?: CallOptions): Promise<PlayResult>;

  /** Return a job with its status and its result. Scope: read. */
  getJob(params: {job_id: string}, options?: CallOptions): Promise<JobView>;

  /** Return the status of a job. Scope: read. */
  getJobStatus(params: {job_id: string}, options?: CallOptions): Promise<JobStatus>;

  /** Return the output of a finished job, or null while it has not ended; an error if it failed. Scope: read. */
  getJobOutput(params: {job_id: string}, options?: CallOptions): Promise<string | null>;

  /**
   * Return the lines that a job's script has printed after a cursor; "" begins with the first line kept. The lines
   * can be read while the script runs and after it has ended. Scope: read.
   */
  getJobLogs(params: {job_id: string; after?: string; count?: number}, options?: CallOptions): Promise<JobLog>;

  /**
   * Stop a job and return its status: "stopping" if it runs. A job that has ended keeps its status. Scope: user.
   */
  stopJob(params: {job_id: string}, options?: CallOptions): Promise<JobStatus>;

  /** Run a job again that ended in error or was stopped. Scope: user. */
  retryJob(params: {job_id: string}, options?: CallOptions): Promise<Started>;

  /** Delete a job that is not running. Scope: user. */
  deleteJob(params: {job_id: string}, options?: CallOptions): Promise<null>;

  /**
   * Return up to `count` jobs, the newest move first; repeat with the returned cursor until it is empty. Jobs that
   * have moved recently come first, then those that have waited, run or failed for longer. A page may be empty
   * although more follow. Keys that cannot be read as a job are listed only when there is no filter. Jobs that
   * ended so long ago that the store's events no longer have them, and those that other programs have created but
   * not queued, are found by search_jobs. Scope: read.
   */
  listJobs(params?: {cursor?: string; count?: number; status?: JobStatus | null; script_type?: ScriptType | null; caller_id?: string | null; context_id?: string | null; created_after?: string | null; created_before?: string | null; batch?: string | null; group?: string | null; error_kind?: string | null; id_prefix?: string | null; text?: string | null}, options?: CallOptions): Promise<JobList>;

  /**
   * Return the jobs that wait in a queue, or in all queues, in the order in which actors will claim them. `place`
   * counts the ids in the list before the job, from 1. The list of a paused queue comes last; so do jobs of low
   * priority, with places of their own. The id of a job that was stopped counts until an actor meets it. Scope:
   * read.
   */
  listWaiting(params?: {cursor?: string; count?: number; script_type?: ScriptType | null; group?: string | null; instance?: string | null; filter?: JobFilterParams | null}, options?: CallOptions): Promise<WaitingJobs>;

  /** Return the jobs that wait for their time, the soonest first. Scope: read. */
  listDelayed(params?: {cursor?: string; count?: number; filter?: JobFilterParams | null}, options?: CallOptions): Promise<DelayedJobs>;

  /**
   * Return the jobs that wait for prerequisites or in line for a key, the longest first; see explain_job. Scope:
   * read.
   */
  listBlocked(params?: {cursor?: string; count?: number; filter?: JobFilterParams | null}, options?: CallOptions): Promise<BlockedJobs>;

  /**
   * Return the jobs that actors have claimed, with actor, host and lane. While jobs are fast, a lane claims
   * several and runs them one after another. Scope: read.
   */
  listActive(params?: {cursor?: string; count?: number; filter?: JobFilterParams | null}, options?: CallOptions): Promise<RunningJobs>;

  /**
   * Look for jobs among all keys of the store, a page of keys per call, until the cursor is empty. A search takes
   * long in a large store; `walked` and `total` tell how far it has come. Jobs are in no order, and a page may
   * repeat a job of an earlier one. Scope: read.
   */
  searchJobs(params?: {cursor?: string; count?: number; filter?: JobFilterParams | null}, options?: CallOptions): Promise<FoundJobs>;

  /**
   * Say why a job does not run: its place in the queue, a pause, its time, other jobs, a key, missing actors.
   * `reason` is one of not_started, delayed, repeated, late, prerequisites, in_line, paused, no_actor,
   * actors_silent, actors_unavailable, expired, queued, not_queued, claimed, running, stopping, ended.
   * `held_actors` has the processes of this supervisor that serve the script type and do not run. Scope: read.
   */
  explainJob(params: {job_id: string}, options?: CallOptions): Promise<JobExplanation>;

  /** Return the newest ten attempts of a job, the oldest first: who ran it, when, and how it ended. Scope: read. */
  getJobAttempts(params: {job_id: string}, options?: CallOptions): Promise<AttemptView[]>;

  /**
   * Return what the deployment has counted per script type: by period, and since it began. Counted are runs that
   * started, jobs that ended (`finished`, `stopped`, `failed`, `errors` by kind), `retries`, `redeliveries`,
   * `lost` jobs, and as histograms how long jobs waited and ran. There is a history of a day by minutes, and of 30
   * days by hours; without `resolution_s` it has some 300 periods at most. A script type of which nothing was
   * counted is left out. Damaged jobs have the script type `unknown`. Scope: read.
   */
  getHistory(params?: {span_s?: number; resolution_s?: number | null; script_type?: string | null}, options?: CallOptions): Promise<HistoryView>;

  /**
   * Create many jobs as one batch, start them unless told otherwise, and return their ids. A job that is refused
   * is listed with its error; the others are created. Scope: user.
   */
  createJobs(params: {jobs: JobFields[]; start?: boolean; batch_id?: string | null}, options?: CallOptions): Promise<BatchMade>;

  /**
   * Create and start many jobs as one batch, wait until all have ended, and return each output or error. Without a
   * timeout, the call waits for the longest timeout of the jobs and another 60 seconds. If the time runs out,
   * `done` is false and the jobs go on; call wait_jobs to wait for the rest. Scope: user.
   */
  runJobs(params: {jobs: JobFields[]; timeout?: number | null; batch_id?: string | null}, options?: CallOptions): Promise<BatchRun>;

  /**
   * Wait until some jobs, or all jobs of a batch, have ended; if the time runs out, `done` is false. Given
   * job_ids, it returns each output or error; given batch_id, it returns how many jobs are in which state. Scope:
   * read.
   */
  waitJobs(params?: {job_ids?: string[] | null; batch_id?: string | null; timeout?: number}, options?: CallOptions): Promise<Waited>;

  /** Return how many jobs of a batch are open, finished, failed and stopped. Scope: read. */
  getBatch(params: {batch_id: string}, options?: CallOptions): Promise<BatchView>;

  /**
   * Return up to `count` batches, the newest first; repeat with the returned cursor until it is empty. The newest
   * 10,000 batches are listed, until a week after they have ended. A page may be empty although more follow.
   * Scope: read.
   */
  listBatches(params?: {cursor?: string; count?: number}, options?: CallOptions): Promise<BatchList>;

  /** Return `count` dead letters, the jobs that have failed permanently, newest first. Scope: read. */
  listDead(params?: {first?: number; count?: number}, options?: CallOptions): Promise<DeadList>;

  /** Run dead letters again, each as retry_job does; at most 10,000 per call. Scope: admin. */
  retryDead(params?: Record<string, never>, options?: CallOptions): Promise<Retried>;

  /** Delete dead letters together with their jobs; at most 10,000 per call. Scope: admin. */
  purgeDead(params?: Record<string, never>, options?: CallOptions): Promise<Purged>;

  /** Delete all jobs of all callers that are not running; running jobs are only counted. Scope: admin. */
  clearAllJobs(params?: Record<string, never>, options?: CallOptions): Promise<Cleared>;

  /**
   * Return every actor process that has joined, on any host, and those of this supervisor that have not. An actor
   * that has not started yet, is held, or cannot start, has no beat; `supervised` says why. Scope: read.
   */
  listActors(params?: Record<string, never>, options?: CallOptions): Promise<ListedActor[]>;

  /** Return an entry of this supervisor with all of its processes, or with the one that you named. Scope: read. */
  getActor(params: {name: string}, options?: CallOptions): Promise<ActorEntryView>;

  /** Return the functions that scripts of an entry may call, and those that a setting would allow. Scope: read. */
  listFunctions(params: {name: string}, options?: CallOptions): Promise<FunctionView[]>;

  /**
   * Return the last lines that the processes of a slot have written, including processes that have ended. You can
   * name an entry if it has one process. A few hundred lines are kept while the supervisor runs. Scope: admin.
   */
  getActorLogs(params: {name: string; after?: number; count?: number}, options?: CallOptions): Promise<ActorLog>;

  /**
   * Start processes that were stopped, have ended, could not start, or wait for a restart; others run on. Scope:
   * admin.
   */
  startActor(params: {name: string}, options?: CallOptions): Promise<ActorEntryView>;

  /**
   * Stop one process, or all of an entry, until start_actor; jobs that do not end in time are handed back. Scope:
   * admin.
   */
  stopActor(params: {name: string}, options?: CallOptions): Promise<ActorEntryView>;

  /**
   * Replace one process, those of an entry, or ("*") all, one at a time; no job is lost or run twice. The new
   * process starts before the old one drains. Where that would break the order of a queue, the old one drains
   * first. If a new process does not become ready, the remaining ones are not replaced. Scope: admin.
   */
  restartActor(params: {name: string; wait?: boolean}, options?: CallOptions): Promise<Rolled>;

  /** Set the number of processes of an entry until the config changes; surplus processes drain. Scope: admin. */
  scaleActors(params: {name: string; count: number}, options?: CallOptions): Promise<ActorEntryView>;

  /**
   * Load the config again, apply what can change, replace affected processes, and list what needs a restart.
   * Scope: admin.
   */
  reload(params?: {wait?: boolean}, options?: CallOptions): Promise<Reloaded>;

  /**
   * Return each queue with the number of waiting jobs and, if it is paused, since when. The queue of each script
   * type is listed always, the queue of a group while an actor of the group is known. Scope: read.
   */
  listQueues(params?: Record<string, never>, options?: CallOptions): Promise<QueueView[]>;

  /**
   * Pause a queue: its jobs and new ones wait, running jobs go on. Pausing it again changes nothing. Scope: admin.
   */
  pauseQueue(params: {script_type: ScriptType; group?: string | null; instance?: string | null}, options?: CallOptions): Promise<QueueView>;

  /** Resume a paused queue. Scope: admin. */
  resumeQueue(params: {script_type: ScriptType; group?: string | null; instance?: string | null}, options?: CallOptions): Promise<QueueView>;

  /**
   * Stop all jobs that wait in a queue, paused or not; each ends as stopped, with a reply. Running jobs go on.
   * Scope: admin.
   */
  purgeQueue(params: {script_type: ScriptType; group?: string | null; instance?: string | null}, options?: CallOptions): Promise<QueuePurged>;

  /**
   * Create a job repeatedly, by cron or interval; an existing schedule of this name is replaced. Do not give the
   * job an id. Its id consists of the schedule's name and the tick, so each tick creates one job, no matter how
   * many supervisors run. Scope: admin.
   */
  createSchedule(params: {name: string; job: JobFields; cron?: string | null; interval_s?: number | null; tz?: string; overlap?: Overlap; missed?: Missed}, options?: CallOptions): Promise<ScheduleView>;

  /**
   * Return all schedules by name, with their last job and the time of their next one, or that they are paused.
   * Scope: read.
   */
  listSchedules(params?: Record<string, never>, options?: CallOptions): Promise<ScheduleView[]>;

  /**
   * Let a schedule create no jobs until it is resumed; a job that runs goes on. Pausing it again changes nothing.
   * `create_schedule` of this name resumes it, too. Scope: admin.
   */
  pauseSchedule(params: {name: string}, options?: CallOptions): Promise<ScheduleView>;

  /** Resume a paused schedule; it goes on with its next tick, and what it missed stays missed. Scope: admin. */
  resumeSchedule(params: {name: string}, options?: CallOptions): Promise<ScheduleView>;

  /** Delete a schedule; the jobs that it has created stay. Scope: admin. */
  deleteSchedule(params: {name: string}, options?: CallOptions): Promise<null>;

  /** Stop many jobs in the background, by their ids or by a filter; get_act tells how far this is. Scope: user. */
  stopJobs(params: {reason: string; job_ids?: string[] | null; filter?: JobFilterParams | null; act_id?: string | null}, options?: CallOptions): Promise<ActView>;

  /**
   * Run many jobs again that ended in error or were stopped, in the background, by their ids or by a filter.
   * Scope: user.
   */
  retryJobs(params: {reason: string; job_ids?: string[] | null; filter?: JobFilterParams | null; act_id?: string | null}, options?: CallOptions): Promise<ActView>;

  /** Delete many jobs in the background, by their ids or by a filter; running jobs are refused. Scope: user. */
  deleteJobs(params: {reason: string; job_ids?: string[] | null; filter?: JobFilterParams | null; act_id?: string | null}, options?: CallOptions): Promise<ActView>;

  /**
   * Say how far an act on many jobs is: `running`, `done`, `failed`, or `interrupted` with its supervisor. Scope:
   * read.
   */
  getAct(params: {act_id: string}, options?: CallOptions): Promise<ActView>;

  /**
   * Return who has changed what through JSON-RPC, the oldest entry first; follow it by the topic `audit`. Scope:
   * admin.
   */
  getAudit(params?: {after?: string; count?: number}, options?: CallOptions): Promise<AuditLog>;

  /** Return an object with the defaults of its type and a new SID; set_object then stores it. Scope: user. */
  newObject(params: {type: string; context_id?: string | null}, options?: CallOptions): Promise<ObjectView>;

  /**
   * Store an object. It is refused if it does not fit its type, or was changed since the given version. Scope:
   * user.
   */
  setObject(params: {type: string; sid: string; fields: Record<string, unknown>; version?: number | null; context_id?: string | null}, options?: CallOptions): Promise<ObjectWritten>;

  /** Return an object. Scope: read. */
  getObject(params: {type: string; sid: string; context_id?: string | null}, options?: CallOptions): Promise<ObjectView>;

  /** Delete an object and its history. Scope: user. */
  deleteObject(params: {type: string; sid: string; version?: number | null; context_id?: string | null}, options?: CallOptions): Promise<null>;

  /** Return one page of the SIDs of all objects of a type. Scope: read. */
  listObjects(params: {type: string; cursor?: string; limit?: number; context_id?: string | null}, options?: CallOptions): Promise<SidPage>;

  /** Return one page of the SIDs of the objects that a query finds in indexed fields. Scope: read. */
  findObjects(params: {type: string; query: string; cursor?: string; limit?: number; context_id?: string | null}, options?: CallOptions): Promise<SidPage>;

  /** Return the last ten versions of an object, the newest first. Scope: read. */
  getObjectHistory(params: {type: string; sid: string; context_id?: string | null}, options?: CallOptions): Promise<ObjectView[]>;

  /**
   * Return the types that a context has objects of; for an administrator without a context, those of all. Scope:
   * read.
   */
  listObjectTypes(params?: {context_id?: string | null}, options?: CallOptions): Promise<ObjectCount[]>;

  /** Return who may do what with the objects of a context; for its owner and its administrators. Scope: read. */
  getObjectRights(params?: {context_id?: string | null}, options?: CallOptions): Promise<ObjectRightsView>;

  /** Change who may do what with the objects of a context; for its owner and its administrators. Scope: user. */
  changeObjectRights(params: {change: string; to: string; member: string; context_id?: string | null}, options?: CallOptions): Promise<ObjectRightsView>;

  /** Return figures of the deployment: queues, actors, dead letters. Scope: read. */
  stats(params?: Record<string, never>, options?: CallOptions): Promise<Stats>;

  /**
   * Return past events of jobs or actors, the oldest first; `hero_subscribe` sends the same as they happen. Repeat
   * with the returned cursor while there is `more`; later, with the last one, for what is new. A page may be empty
   * although more follow, and has more events than `count` if jobs changed together. With job_ids, only events of
   * these jobs. The record of changes has get_audit, the log of a job get_job_logs. Scope: read.
   */
  listEvents(params?: {topic?: 'jobs' | 'actors'; after?: string; count?: number; job_ids?: string[] | null}, options?: CallOptions): Promise<EventPage>;

  /**
   * Say whether the service can do its work: "ok", or "degraded" and why; and which settings endanger jobs. Scope:
   * read.
   */
  health(params?: Record<string, never>, options?: CallOptions): Promise<Health>;

  /** Return the version of the runtime. Scope: read. */
  version(params?: Record<string, never>, options?: CallOptions): Promise<Version>;

  /** Return a nonce to sign; it is good for one attempt to authenticate within one minute. Scope: none. */
  fetchNonce(params: {pubkey: string}, options?: CallOptions): Promise<string>;

  /**
   * Authenticate this connection by a bearer token, or by a public key and a signed nonce. Returns what whoami
   * returns if you give a token, and true if you give a signature. Scope: none.
   */
  authenticate(params?: {token?: string | null; signature?: string | null; nonce?: string | null; pubkey?: string | null}, options?: CallOptions): Promise<Identity | boolean>;

  /** Return whom this connection speaks for. Scope: read. */
  whoami(params?: Record<string, never>, options?: CallOptions): Promise<Identity>;
}
