"""The faults: what the harness does to actors, supervisors, store and network, one after the other, by a seed.

The witness gets the start and the end of each fault and the actors that it hit; nothing else excuses that a job runs
again. A fault hits the actors that it kills, freezes or cuts off, also if it does so by ending their supervisor, and
with an actor every process that runs scripts for it. So the actors are named by their incarnations. A store that stands
still hits all actors; a rolling restart hits none, because it must not run any job twice. Invariant: when a fault
returns, its effect on the machine is undone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import psutil

from hero_job.operations.operations import Operations
from tests.chaos.checker import TERMINAL
from tests.chaos.proxy import Proxy
from tests.chaos.witness import Witness
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer

#: On a slow machine a single fault, with its repair, may take longer than the whole run.
LEAST_FAULTS = 4
#: Longest wait for a suspect to run again, in seconds.
_SUSPECT_S = 30.0


class Faults:
    """Causes the faults.

    Args:
        deployments: The hosts, behind the proxy.
        valkey: Their store.
        proxy: The proxy between hosts and store.
        witness: Gets an entry for each fault.
        rng: Seeded source of random choices.
        lease_s: Lease of the deployments, in seconds.
    """

    def __init__(
        self,
        deployments: Sequence[Deployment],
        valkey: ValkeyServer,
        proxy: Proxy,
        witness: Witness,
        rng: random.Random,
        lease_s: float,
    ) -> None:
        self._deployments = deployments
        self._valkey = valkey
        self._proxy = proxy
        self._witness = witness
        self._rng = rng
        self._lease_s = lease_s
        self._past_lease_s = lease_s + 1.0
        # What `_running` knows, and up to which place it has read the witness's file.
        self._last_begun: dict[str, str] = {}
        self._position = 0
        #: Fault -> its share, in percent.
        self._kinds: dict[Callable[[], None], int] = {
            self.kill_actor: 20,
            self.freeze_actor_briefly: 8,
            self.freeze_actor_past_lease: 8,
            self.cut_actor_off_past_lease: 8,
            self.kill_supervisor: 6,
            self.stop_supervisor: 4,
            self.lose_host: 6,
            self.restart_rolling: 5,
            self.reload_another_config: 5,
            self.hit_suspect: 8,
            self.kill_job_processes: 8,
            self.kill_template: 5,
            self.kill_store: 10,
            self.freeze_store_briefly: 6,
            self.freeze_store_past_lease: 3,
            self.fill_store: 5,
            self.kill_connections: 8,
            self.flush_scripts: 4,
            self.make_noise: 10,
        }

    def run(self, seconds: float) -> None:
        """Cause faults for some seconds, with pauses in which the deployment may recover; but at least a few."""
        end_mono = time.monotonic() + seconds
        order: list[Callable[[], None]] = []
        caused = 0
        while (left_s := end_mono - time.monotonic()) > 0 or caused < LEAST_FAULTS:
            caused += 1
            if not order:
                # Each fault once before chance decides, so that even a short run has many of them.
                order = list(self._kinds)
                self._rng.shuffle(order)
                order += self._rng.choices(list(self._kinds), list(self._kinds.values()), k=20)
            self._check_supervisors()
            order.pop(0)()
            time.sleep(min(max(0.0, left_s), self._rng.uniform(0.5, 2.5)))

    def _check_supervisors(self) -> None:
        """Report a supervisor that has ended by itself, and start it again."""
        for deployment in self._deployments:
            if not alive(psutil.Process(deployment.pid)):
                with self._noted("supervisor ended by itself", None, f"exit code {deployment.stop()}"):
                    deployment.start()

    @contextlib.contextmanager
    def _noted(self, kind: str, hit: Sequence[str] | None, on: str = "") -> Iterator[None]:
        """Note a fault and its duration; `hit` are the incarnations of the actors that it hits, None for all."""
        begin = time.time()
        yield
        self._witness.note("fault", kind=kind, hit=hit, begin=begin, on=on)

    @contextlib.contextmanager
    def _noted_on_host(self, kind: str, deployment: Deployment) -> Iterator[list[str]]:
        """Note a fault of a host, its duration, and the actors that the host has then; yield their incarnations.

        The supervisor is suspended: between this look at its actors and its end it replaces none.
        """
        psutil.Process(deployment.pid).suspend()
        hit = incarnations_of(actors_of(deployment))
        with self._noted(kind, hit):
            yield hit

    @contextlib.contextmanager
    def _store_away(self, kind: str) -> Iterator[None]:
        """Note a fault of the store. It hits all actors if it lasts longer than half a lease, else none."""
        begin = time.time()
        yield
        hit: list[str] | None = None if time.time() - begin > self._lease_s / 2 else []
        self._witness.note("fault", kind=kind, hit=hit, begin=begin, on="")

    def _some_actor(self, *script_types: str) -> psutil.Process:
        script_type = self._rng.choice(script_types or ("osis", "sal", "python"))

        def find() -> list[psutil.Process]:
            return [a for d in self._deployments for a in actors_of(d) if flag_of(a, "--type") == script_type]

        return self._rng.choice(eventually(find))

    # -- actors --------------------------------------------------------------------------------------------------------

    def kill_actor(self, actor: psutil.Process | None = None) -> None:
        actor = actor or self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted("kill actor", incarnations_of([actor]), flag_of(actor, "--type")):
                actor.kill()

    def freeze_actor_briefly(self) -> None:
        self._freeze("freeze actor briefly", self._rng.uniform(0.2, 1))

    def freeze_actor_past_lease(self, actor: psutil.Process | None = None) -> None:
        self._freeze("freeze actor past its lease", self._past_lease_s, actor)

    def _freeze(self, kind: str, seconds: float, actor: psutil.Process | None = None) -> None:
        actor = actor or self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted(kind, incarnations_of([actor]), flag_of(actor, "--type")):
                actor.suspend()
                time.sleep(seconds)
                with contextlib.suppress(psutil.NoSuchProcess):  # its supervisor has killed it for its missing beats
                    actor.resume()

    def cut_actor_off_past_lease(self, actor: psutil.Process | None = None) -> None:
        actor = actor or self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            hit = incarnations_of([actor])
            with self._noted("cut actor off past its lease", hit, flag_of(actor, "--type")):
                self._proxy.cut(lambda client: client in hit)
                time.sleep(self._past_lease_s)
                self._proxy.mend()

    def hit_suspect(self) -> None:
        """Kill the actor that runs most jobs, and then hit one that runs a job of them again, alone in a child."""
        holders = list(self._running().values())
        victims = [a for d in self._deployments for a in actors_of(d) if flag_of(a, "--type") in ("osis", "sal")]
        victim = max(victims, key=lambda actor: holders.count(flag_of(actor, "--incarnation")), default=None)
        if victim is None:
            return
        former = flag_of(victim, "--incarnation")
        suspects = {job for job, holder in self._running().items() if holder == former}
        self.kill_actor(victim)
        end_mono = time.monotonic() + _SUSPECT_S
        while suspects and time.monotonic() < end_mono:
            running = self._running()
            suspects &= running.keys()  # the others have ended
            heirs = {running[job] for job in suspects} - {former}
            for deployment in self._deployments:
                for actor in actors_of(deployment):
                    if flag_of(actor, "--incarnation") in heirs:
                        self._hit(actor, deployment)
                        return
            time.sleep(0.05)

    def _hit(self, actor: psutil.Process, deployment: Deployment) -> None:
        """Hit an actor by any fault that does."""
        faults: list[Callable[[], None]] = [
            lambda: self.kill_actor(actor),
            lambda: self.freeze_actor_past_lease(actor),
            lambda: self.cut_actor_off_past_lease(actor),
            lambda: self.kill_supervisor(deployment),
            lambda: self.lose_host(deployment),
        ]
        self._rng.choice(faults)()

    def _running(self) -> dict[str, str]:
        """Tell which jobs run, and for which incarnation each has begun last."""
        new, self._position = self._witness.read_after(self._position)
        for entry in new:
            if entry["what"] == "began":
                self._last_begun[entry["job"]] = entry["holder"]
            elif entry["what"] == "ended" or entry.get("status") in TERMINAL:
                self._last_begun.pop(entry["job"], None)
        return self._last_begun

    def kill_job_processes(self) -> None:
        """Kill the processes that run HeroScript jobs or wait for one."""
        actor = self._some_actor("python")
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted("kill job processes", [], str(actor.pid)):
                kill_all([child for template in actor.children() for child in template.children()])

    def kill_template(self) -> None:
        """Kill the process that forks the processes of HeroScript jobs; they die with it."""
        actor = self._some_actor("python")
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted("kill template", [], str(actor.pid)):
                kill_all(actor.children())

    # -- supervisors ---------------------------------------------------------------------------------------------------

    def kill_supervisor(self, deployment: Deployment | None = None) -> None:
        deployment = deployment or self._rng.choice(self._deployments)
        with self._noted_on_host("kill supervisor", deployment):
            left = deployment.kill()
            eventually(lambda: not any(alive(p) for p in left), what="its actors end by themselves")
            deployment.start()

    def stop_supervisor(self, deployment: Deployment | None = None) -> None:
        deployment = deployment or self._rng.choice(self._deployments)
        with self._noted_on_host("stop supervisor", deployment):
            psutil.Process(deployment.pid).resume()
            deployment.stop()
            deployment.start()

    def lose_host(self, deployment: Deployment | None = None) -> None:
        """Kill a supervisor with all of its processes; start it when the other host has recovered its actors."""
        deployment = deployment or self._rng.choice(self._deployments)
        with self._noted_on_host("lose host", deployment) as lost:
            registry = Operations().keys.actors
            deployment.lose()
            eventually(
                lambda: not any(self._valkey.command("HEXISTS", registry, incarnation) for incarnation in lost),
                what="the other host declares the lost actors dead",
            )
            deployment.start()

    def restart_rolling(self) -> None:
        """Replace all actors of a host, one after the other, while they work."""
        deployment = self._rng.choice(self._deployments)
        old = actors_of(deployment)
        self._roll("rolling restart", deployment, signal.SIGUSR2, lambda: not any(alive(a) for a in old))

    def reload_another_config(self) -> None:
        """Change the number of lanes of a host's SAL actors in its config."""
        deployment = self._rng.choice(self._deployments)
        config = deployment.folder / "hero.toml"
        text = config.read_text()
        lanes, other = ("6", "8") if "lanes = 6" in text else ("8", "6")
        config.write_text(text.replace(f"lanes = {lanes}", f"lanes = {other}"))

        def all_replaced() -> bool:
            sal = [actor for actor in actors_of(deployment) if flag_of(actor, "--type") == "sal"]
            return bool(sal) and all(flag_of(actor, "--lanes") == other for actor in sal)

        self._roll("reload", deployment, signal.SIGHUP, all_replaced)

    def _roll(self, kind: str, deployment: Deployment, number: signal.Signals, done: Callable[[], bool]) -> None:
        with self._noted(kind, []):
            os.kill(deployment.pid, number)
            try:
                eventually(done, every_s=0.05)
            except AssertionError:
                self._witness.note("fault", kind=f"{kind} has not ended by itself", hit=[], begin=time.time(), on="")

    # -- store and network ---------------------------------------------------------------------------------------------

    def kill_store(self) -> None:
        with self._store_away("kill store"):
            self._valkey.kill()
            time.sleep(self._rng.choice((0.0, 0.2, 1.0)))
            self._valkey.start()

    def freeze_store_briefly(self) -> None:
        self._freeze_store("freeze store briefly", self._rng.uniform(0.2, 1))

    def freeze_store_past_lease(self) -> None:
        self._freeze_store("freeze store past the lease", self._past_lease_s)

    def _freeze_store(self, kind: str, seconds: float) -> None:
        with self._store_away(kind):
            self._valkey.freeze()
            time.sleep(seconds)
            self._valkey.thaw()

    def fill_store(self) -> None:
        with self._store_away("fill store"):
            self._valkey.command("CONFIG", "SET", "maxmemory", "1")
            time.sleep(self._rng.uniform(0.2, 1))
            self._valkey.command("CONFIG", "SET", "maxmemory", "0")

    def kill_connections(self) -> None:
        with self._noted("kill connections", []):
            self._valkey.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def flush_scripts(self) -> None:
        with self._noted("flush scripts", []):
            self._valkey.command("SCRIPT", "FLUSH")

    def make_noise(self) -> None:
        """Drop, delay and split replies and requests for a while."""
        noise = self._proxy.noise
        with self._noted("network noise", []):
            noise.drop_reply, noise.drop_request, noise.delay, noise.split = 0.03, 0.02, 0.05, 0.1
            time.sleep(self._rng.uniform(0.5, 2))
            noise.stop()


def actors_of(deployment: Deployment) -> list[psutil.Process]:
    """List the actor processes of a deployment."""
    return [process for process in deployment.processes("hero_actor") if is_actor(process)]


def incarnations_of(processes: Sequence[psutil.Process]) -> list[str]:
    """List the incarnations of the living actors among some processes."""
    return [flag_of(process, "--incarnation") for process in processes if is_actor(process)]


def is_actor(process: psutil.Process) -> bool:
    """Is this a living actor, and not a child of one?"""
    try:
        return "--incarnation" in process.cmdline()
    except psutil.Error:
        return False


def flag_of(actor: psutil.Process, flag: str) -> str:
    """Return the value of a flag in an actor's command line; "" if the actor has ended."""
    try:
        line = actor.cmdline()
    except psutil.Error:
        return ""
    return line[line.index(flag) + 1] if flag in line else ""


def processes_that_name(text: str) -> list[psutil.Process]:
    """List the other living processes with a text in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(text in word for word in words) and alive(process):
                found.append(process)
    return found


def kill_all(processes: list[psutil.Process]) -> None:
    """Kill processes; those that have ended already do no harm."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
