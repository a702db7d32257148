// Written by `python -m hero_supervisor.rpc.emit.typescript`; do not edit.

/** By name: whether a call may be repeated, and the scope that it needs. */
export const METHODS = {
  create_job: {repeat: 'id', scope: 'user'},
  start_job: {repeat: 'no', scope: 'user'},
  run_job: {repeat: 'id', scope: 'user'},
  play: {repeat: 'no', scope: 'user'},
  get_job: {repeat: 'safe', scope: 'read'},
  get_job_status: {repeat: 'safe', scope: 'read'},
  get_job_output: {repeat: 'safe', scope: 'read'},
  get_job_logs: {repeat: 'safe', scope: 'read'},
  stop_job: {repeat: 'safe', scope: 'user'},
  retry_job: {repeat: 'no', scope: 'user'},
  delete_job: {repeat: 'no', scope: 'user'},
  list_jobs: {repeat: 'safe', scope: 'read'},
  list_waiting: {repeat: 'safe', scope: 'read'},
  list_delayed: {repeat: 'safe', scope: 'read'},
  list_blocked: {repeat: 'safe', scope: 'read'},
  list_active: {repeat: 'safe', scope: 'read'},
  search_jobs: {repeat: 'safe', scope: 'read'},
  explain_job: {repeat: 'safe', scope: 'read'},
  get_job_attempts: {repeat: 'safe', scope: 'read'},
  get_history: {repeat: 'safe', scope: 'read'},
  create_jobs: {repeat: 'no', scope: 'user'},
  run_jobs: {repeat: 'no', scope: 'user'},
  wait_jobs: {repeat: 'safe', scope: 'read'},
  get_batch: {repeat: 'safe', scope: 'read'},
  list_batches: {repeat: 'safe', scope: 'read'},
  list_dead: {repeat: 'safe', scope: 'read'},
  retry_dead: {repeat: 'no', scope: 'admin'},
  purge_dead: {repeat: 'no', scope: 'admin'},
  clear_all_jobs: {repeat: 'no', scope: 'admin'},
  list_actors: {repeat: 'safe', scope: 'read'},
  get_actor: {repeat: 'safe', scope: 'read'},
  list_functions: {repeat: 'safe', scope: 'read'},
  get_actor_logs: {repeat: 'safe', scope: 'admin'},
  start_actor: {repeat: 'no', scope: 'admin'},
  stop_actor: {repeat: 'no', scope: 'admin'},
  restart_actor: {repeat: 'no', scope: 'admin'},
  scale_actors: {repeat: 'safe', scope: 'admin'},
  reload: {repeat: 'safe', scope: 'admin'},
  list_queues: {repeat: 'safe', scope: 'read'},
  pause_queue: {repeat: 'safe', scope: 'admin'},
  resume_queue: {repeat: 'safe', scope: 'admin'},
  purge_queue: {repeat: 'no', scope: 'admin'},
  create_schedule: {repeat: 'safe', scope: 'admin'},
  list_schedules: {repeat: 'safe', scope: 'read'},
  pause_schedule: {repeat: 'safe', scope: 'admin'},
  resume_schedule: {repeat: 'safe', scope: 'admin'},
  delete_schedule: {repeat: 'no', scope: 'admin'},
  stop_jobs: {repeat: 'act_id', scope: 'user'},
  retry_jobs: {repeat: 'act_id', scope: 'user'},
  delete_jobs: {repeat: 'act_id', scope: 'user'},
  get_act: {repeat: 'safe', scope: 'read'},
  get_audit: {repeat: 'safe', scope: 'admin'},
  new_object: {repeat: 'no', scope: 'user'},
  set_object: {repeat: 'no', scope: 'user'},
  get_object: {repeat: 'safe', scope: 'read'},
  delete_object: {repeat: 'no', scope: 'user'},
  list_objects: {repeat: 'safe', scope: 'read'},
  find_objects: {repeat: 'safe', scope: 'read'},
  get_object_history: {repeat: 'safe', scope: 'read'},
  list_object_types: {repeat: 'safe', scope: 'read'},
  get_object_rights: {repeat: 'safe', scope: 'read'},
  change_object_rights: {repeat: 'no', scope: 'user'},
  stats: {repeat: 'safe', scope: 'read'},
  list_events: {repeat: 'safe', scope: 'read'},
  hero_subscribe: {repeat: 'no', scope: 'read'},
  hero_unsubscribe: {repeat: 'no', scope: 'read'},
  health: {repeat: 'safe', scope: 'read'},
  version: {repeat: 'safe', scope: 'read'},
  fetch_nonce: {repeat: 'safe', scope: 'none'},
  authenticate: {repeat: 'safe', scope: 'none'},
  whoami: {repeat: 'safe', scope: 'read'},
};

/** The methods of the service; `call` makes the calls. */
export class HeroMethods {
  createJob(params, options) {
    return this.call('create_job', params, options);
  }

  startJob(params, options) {
    return this.call('start_job', params, options);
  }

  runJob(params, options) {
    return this.call('run_job', params, options);
  }

  play(params, options) {
    return this.call('play', params, options);
  }

  getJob(params, options) {
    return this.call('get_job', params, options);
  }

  getJobStatus(params, options) {
    return this.call('get_job_status', params, options);
  }

  getJobOutput(params, options) {
    return this.call('get_job_output', params, options);
  }

  getJobLogs(params, options) {
    return this.call('get_job_logs', params, options);
  }

  stopJob(params, options) {
    return this.call('stop_job', params, options);
  }

  retryJob(params, options) {
    return this.call('retry_job', params, options);
  }

  deleteJob(params, options) {
    return this.call('delete_job', params, options);
  }

  listJobs(params, options) {
    return this.call('list_jobs', params, options);
  }

  listWaiting(params, options) {
    return this.call('list_waiting', params, options);
  }

  listDelayed(params, options) {
    return this.call('list_delayed', params, options);
  }

  listBlocked(params, options) {
    return this.call('list_blocked', params, options);
  }

  listActive(params, options) {
    return this.call('list_active', params, options);
  }

  searchJobs(params, options) {
    return this.call('search_jobs', params, options);
  }

  explainJob(params, options) {
    return this.call('explain_job', params, options);
  }

  getJobAttempts(params, options) {
    return this.call('get_job_attempts', params, options);
  }

  getHistory(params, options) {
    return this.call('get_history', params, options);
  }

  createJobs(params, options) {
    return this.call('create_jobs', params, options);
  }

  runJobs(params, options) {
    return this.call('run_jobs', params, options);
  }

  waitJobs(params, options) {
    return this.call('wait_jobs', params, options);
  }

  getBatch(params, options) {
    return this.call('get_batch', params, options);
  }

  listBatches(params, options) {
    return this.call('list_batches', params, options);
  }

  listDead(params, options) {
    return this.call('list_dead', params, options);
  }

  retryDead(params, options) {
    return this.call('retry_dead', params, options);
  }

  purgeDead(params, options) {
    return this.call('purge_dead', params, options);
  }

  clearAllJobs(params, options) {
    return this.call('clear_all_jobs', params, options);
  }

  listActors(params, options) {
    return this.call('list_actors', params, options);
  }

  getActor(params, options) {
    return this.call('get_actor', params, options);
  }

  listFunctions(params, options) {
    return this.call('list_functions', params, options);
  }

  getActorLogs(params, options) {
    return this.call('get_actor_logs', params, options);
  }

  startActor(params, options) {
    return this.call('start_actor', params, options);
  }

  stopActor(params, options) {
    return this.call('stop_actor', params, options);
  }

  restartActor(params, options) {
    return this.call('restart_actor', params, options);
  }

  scaleActors(params, options) {
    return this.call('scale_actors', params, options);
  }

  reload(params, options) {
    return this.call('reload', params, options);
  }

  listQueues(params, options) {
    return this.call('list_queues', params, options);
  }

  pauseQueue(params, options) {
    return this.call('pause_queue', params, options);
  }

  resumeQueue(params, options) {
    return this.call('resume_queue', params, options);
  }

  purgeQueue(params, options) {
    return this.call('purge_queue', params, options);
  }

  createSchedule(params, options) {
    return this.call('create_schedule', params, options);
  }

  listSchedules(params, options) {
    return this.call('list_schedules', params, options);
  }

  pauseSchedule(params, options) {
    return this.call('pause_schedule', params, options);
  }

  resumeSchedule(params, options) {
    return this.call('resume_schedule', params, options);
  }

  deleteSchedule(params, options) {
    return this.call('delete_schedule', params, options);
  }

  stopJobs(params, options) {
    return this.call('stop_jobs', params, options);
  }

  retryJobs(params, options) {
    return this.call('retry_jobs', params, options);
  }

  deleteJobs(params, options) {
    return this.call('delete_jobs', params, options);
  }

  getAct(params, options) {
    return this.call('get_act', params, options);
  }

  getAudit(params, options) {
    return this.call('get_audit', params, options);
  }

  newObject(params, options) {
    return this.call('new_object', params, options);
  }

  setObject(params, options) {
    return this.call('set_object', params, options);
  }

  getObject(params, options) {
    return this.call('get_object', params, options);
  }

  deleteObject(params, options) {
    return this.call('delete_object', params, options);
  }

  listObjects(params, options) {
    return this.call('list_objects', params, options);
  }

  findObjects(params, options) {
    return this.call('find_objects', params, options);
  }

  getObjectHistory(params, options) {
    return this.call('get_object_history', params, options);
  }

  listObjectTypes(params, options) {
    return this.call('list_object_types', params, options);
  }

  getObjectRights(params, options) {
    return this.call('get_object_rights', params, options);
  }

  changeObjectRights(params, options) {
    return this.call('change_object_rights', params, options);
  }

  stats(params, options) {
    return this.call('stats', params, options);
  }

  listEvents(params, options) {
    return this.call('list_events', params, options);
  }

  health(params, options) {
    return this.call('health', params, options);
  }

  version(params, options) {
    return this.call('version', params, options);
  }

  fetchNonce(params, options) {
    return this.call('fetch_nonce', params, options);
  }

  authenticate(params, options) {
    return this.call('authenticate', params, options);
  }

  whoami(params, options) {
    return this.call('whoami', params, options);
  }
}
