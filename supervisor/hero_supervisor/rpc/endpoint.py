"""Puts the methods, the subscriptions and the rights together into the dispatcher that a server answers with.

The only place that turns settings into a dispatcher; the servers of the Unix socket and of the TCP port call it.
Invariant: both transports offer the same methods under the same rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hero_config.model.settings import JobsSettings, RpcSettings, Settings
from hero_supervisor.limits import job_limits
from hero_supervisor.object_schemas import ConfiguredTypes
from hero_supervisor.rpc.auth import identity_methods
from hero_supervisor.rpc.auth.act_session import ActSessions, Audit
from hero_supervisor.rpc.auth.object_session import ObjectSessions
from hero_supervisor.rpc.auth.session_supervisor import SessionSupervisor
from hero_supervisor.rpc.description.enrich import enrich
from hero_supervisor.rpc.methods import actors, aliases, batches, jobs, openrpc, queues
from hero_supervisor.rpc.methods.objects import object_methods
from hero_supervisor.rpc.methods.overview import act_methods, explain_methods, history_methods, list_methods
from hero_supervisor.rpc.methods.service import ServiceMethods
from hero_supervisor.rpc.protocol.dispatch import Dispatcher
from hero_supervisor.rpc.protocol.rpc_errors import STORE_CODES
from hero_supervisor.rpc.subscriptions import event_pages, subscribe

if TYPE_CHECKING:
    from hero_client import AsyncSupervisor
    from hero_job.tracing.job_tracer import JobTracer
    from hero_supervisor.fleet.fleet import Fleet


def build_dispatcher(
    supervisor: AsyncSupervisor,
    rpc_settings: RpcSettings,
    job_settings: JobsSettings,
    fleet: Fleet | None = None,
    types: ConfiguredTypes | None = None,
    *,
    tracer: JobTracer | None = None,
) -> Dispatcher:
    """Register every method, the description of the service included.

    Args:
        supervisor: Where jobs go.
        rpc_settings: Rights, and limits of batches and subscriptions.
        job_settings: What the deployment accepts of a job.
        fleet: The actor processes of this supervisor; None if it has none.
        types: The types of objects; None for the built-in ones.
        tracer: Records the spans of new jobs; None if none are recorded.
    """
    limits = job_limits(job_settings)
    guarded = SessionSupervisor(supervisor, rpc_settings, tracer)
    service = ServiceMethods(guarded)
    sessions = ActSessions()
    dispatcher = Dispatcher(max_batch_answer_bytes=rpc_settings.max_batch_answer_bytes)
    jobs.register(dispatcher, guarded, limits)
    list_methods.register(dispatcher, guarded)
    explain_methods.register(dispatcher, guarded, fleet)
    history_methods.register(dispatcher, guarded)
    batches.register(dispatcher, guarded, limits)
    actors.register(dispatcher, guarded, fleet)
    queues.register(dispatcher, guarded)
    act_methods.register(dispatcher, guarded, sessions)
    object_methods.register(dispatcher, guarded, ObjectSessions(rpc_settings), types or ConfiguredTypes(Settings()))
    dispatcher.register("stats", service.stats, error_codes=STORE_CODES)
    aliases.register(dispatcher, guarded, limits)
    event_pages.register(dispatcher, guarded, sessions.context_id)
    subscribe.register(dispatcher, guarded, rpc_settings, service.stats)
    dispatcher.register("health", service.health)
    dispatcher.register("version", service.version)
    openrpc.register_discover(dispatcher, limits, enrich)
    identity_methods.register(dispatcher)
    dispatcher.witness = Audit(supervisor, dispatcher).note
    return dispatcher
