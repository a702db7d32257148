"""Tests that may skip, and why. In CI any other skip fails the run.

A skipped test shows nothing, and nobody reads the list of skips; so each skip must be on this list with its reason.
`tests/conftest.py` installs the hooks.
"""

from __future__ import annotations

import re

#: Pattern of the skip's message -> why CI cannot have what the test needs.
KNOWN_SKIPS = {
    r"herolib's program `hero` is not installed": "no registry that CI reaches has a package of it",
    r"nothing builds images here|cannot get the base image": "CI reaches no container registry",
    r"cannot mount a tmpfs": "only root may mount, and not in every container",
    r"cannot make network namespaces": "only root may make them, and not in every container",
    r"libfaketime is not installed": ".ci/run installs it, where Debian's packages can be had",
    r"promtool is not installed": ".ci/run installs it, where Debian's packages can be had",
    r"Chromium is not installed": ".ci/run installs it, where Debian's packages can be had",
    r"Go is not installed": "not every machine that runs CI has it, and Debian's is large",
    r"the modules of go-ethereum cannot be had": "a machine may not reach the proxy of Go, or has an older Go",
    r"no kubectl": "no registry that CI reaches has a package of it; the manifests' other tests run",
    r"cargo cannot fetch": "they need the registry of crates, which a machine may not reach",
    r"the environment of \w+ has not been made": "the peer systems are installed by benchmarks, not by tests",
}


def is_known(message: str) -> bool:
    """Tell whether a skip with this message is on the list."""
    return any(re.search(pattern, message) for pattern in KNOWN_SKIPS)
