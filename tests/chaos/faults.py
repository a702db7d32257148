"""The faults: what is done to actors, supervisor, store and network, one after the other, in the order of a seed.

Each fault notes in the witness whom it hit, from when to when; the checker excuses a second start by that alone.
"Hit" are the process ids of the actors that were killed, frozen or cut off; "all" when it was the store itself that
stood still, or the supervisor that took its actors with it. What a fault does to the machine is undone when it returns.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator

import psutil

from tests.chaos.proxy import Proxy
from tests.chaos.witness import Witness
from tests.deployment import Deployment, alive
from tests.eventually import eventually
from tests.valkey_server import ValkeyServer


class Faults:
    """Does harm.

    Args:
        deployment: Behind the proxy.
        valkey: Its store.
        proxy: Between them.
        witness: Where each fault is noted.
        rng: Seeded.
        lease_s: The deployment's.
    """

    def __init__(
        self,
        deployment: Deployment,
        valkey: ValkeyServer,
        proxy: Proxy,
        witness: Witness,
        rng: random.Random,
        lease_s: float,
    ) -> None:
        self._deployment = deployment
        self._valkey = valkey
        self._proxy = proxy
        self._witness = witness
        self._rng = rng
        self._lease_s = lease_s
        self._past_lease_s = lease_s + 1.0
        #: Kind -> how often in a hundred.
        self._kinds: dict[Callable[[], None], int] = {
            self.kill_actor: 20,
            self.freeze_actor_briefly: 8,
            self.freeze_actor_past_lease: 8,
            self.cut_actor_off_past_lease: 8,
            self.kill_supervisor: 6,
            self.stop_supervisor: 4,
            self.kill_store: 10,
            self.freeze_store_briefly: 6,
            self.freeze_store_past_lease: 3,
            self.fill_store: 5,
            self.kill_connections: 8,
            self.flush_scripts: 4,
            self.make_noise: 10,
        }

    def run(self, seconds: float) -> None:
        """Do harm for a while, with pauses in which the deployment may come to itself."""
        end_mono = time.monotonic() + seconds
        order: list[Callable[[], None]] = []
        while (left_s := end_mono - time.monotonic()) > 0:
            if not order:
                # Each kind once before chance decides, so that a short run has seen many.
                order = list(self._kinds)
                self._rng.shuffle(order)
                order += self._rng.choices(list(self._kinds), list(self._kinds.values()), k=20)
            self._check_supervisor()
            order.pop(0)()
            time.sleep(min(max(0.0, left_s), self._rng.uniform(0.5, 2.5)))

    def _check_supervisor(self) -> None:
        """A supervisor that has ended by itself is a finding; the run goes on with another."""
        if not alive(psutil.Process(self._deployment.pid)):
            with self._noted("supervisor ended by itself", None, f"exit code {self._deployment.stop()}"):
                self._deployment.start()

    @contextlib.contextmanager
    def _noted(self, kind: str, pids: list[int] | None, on: str = "") -> Iterator[None]:
        """Note a fault with its duration; pids None: everybody is hit."""
        begin = time.time()
        yield
        self._witness.note("fault", kind=kind, pids=pids, begin=begin, on=on)

    @contextlib.contextmanager
    def _store_away(self, kind: str) -> Iterator[None]:
        """Note a fault of the store. It cuts off whoever it serves only if it lasts; half a lease is no reason."""
        begin = time.time()
        yield
        pids: list[int] | None = None if time.time() - begin > self._lease_s / 2 else []
        self._witness.note("fault", kind=kind, pids=pids, begin=begin, on="")

    def _some_actor(self) -> psutil.Process:
        script_type = self._rng.choice(("osis", "sal"))
        return self._rng.choice(eventually(lambda: self._deployment.actors(script_type), within_s=60))

    def _type_of(self, actor: psutil.Process) -> str:
        line = actor.cmdline()
        return line[line.index("--type") + 1]

    # -- actors --------------------------------------------------------------------------------------------------------

    def kill_actor(self) -> None:
        actor = self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted("kill actor", [actor.pid], self._type_of(actor)):
                actor.kill()

    def freeze_actor_briefly(self) -> None:
        self._freeze("freeze actor briefly", self._rng.uniform(0.2, 1))

    def freeze_actor_past_lease(self) -> None:
        self._freeze("freeze actor past its lease", self._past_lease_s)

    def _freeze(self, kind: str, seconds: float) -> None:
        actor = self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            with self._noted(kind, [actor.pid], self._type_of(actor)):
                actor.suspend()
                time.sleep(seconds)
                with contextlib.suppress(psutil.NoSuchProcess):  # its supervisor has missed its beats
                    actor.resume()

    def cut_actor_off_past_lease(self) -> None:
        actor = self._some_actor()
        with contextlib.suppress(psutil.NoSuchProcess):
            line = actor.cmdline()
            incarnation = line[line.index("--incarnation") + 1]
            with self._noted("cut actor off past its lease", [actor.pid], self._type_of(actor)):
                self._proxy.cut(lambda client: client == incarnation)
                time.sleep(self._past_lease_s)
                self._proxy.mend()

    # -- supervisor ----------------------------------------------------------------------------------------------------

    def kill_supervisor(self) -> None:
        with self._noted("kill supervisor", None):
            left = self._deployment.kill()
            eventually(lambda: not any(alive(p) for p in left), what="its actors end by themselves", within_s=60)
            self._deployment.start()

    def stop_supervisor(self) -> None:
        with self._noted("stop supervisor", None):
            self._deployment.stop()
            self._deployment.start()

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
        """Drop replies and requests, delay, and split at every byte, for a while."""
        noise = self._proxy.noise
        with self._noted("network noise", []):
            noise.drop_reply, noise.drop_request, noise.delay, noise.split = 0.03, 0.02, 0.05, 0.1
            time.sleep(self._rng.uniform(0.5, 2))
            noise.stop()


def processes_that_name(text: str) -> list[psutil.Process]:
    """Living processes with this text in their command line or environment, but for this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = [*process.cmdline(), *process.environ().values()]
            if process.pid != os.getpid() and any(text in word for word in words) and alive(process):
                found.append(process)
    return found


def end_by_force(processes: list[psutil.Process]) -> None:
    """Kill processes of this run that must not stay, whatever has gone wrong."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
