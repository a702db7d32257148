"""The family `net`: whether servers answer. Nothing here throws, as in upstream; a refusal is logged for the operator.

Source: crate sal-net 0.1.0, rhai.rs
"""

from __future__ import annotations

import logging
import time

from hero_engine.errors import FunctionError
from hero_engine.host.call import Call
from hero_engine.host.definition import Family
from hero_engine.host.network.reach import AddressRefused, NetworkReach
from hero_engine.host.network.stream import connect
from hero_engine.host.network.web import WebFailed, WebRequest, send

log = logging.getLogger(__name__)

FAMILY = Family("net", "Whether servers answer.", needs="net")

#: As upstream, in seconds.
_CONNECT_S = 5.0
_HEAD_S = 10.0


@FAMILY.function(blocks=True)
def tcp_check(call: Call, host: str, port: int) -> bool:
    """Tell whether a port of a host accepts connections within 5 seconds.

    Example:
        if !tcp_check("db.internal.example", 5432) { throw "the database is down" }
    """
    try:
        connect(call, NetworkReach.of(call.rights.net), host.strip("[]"), port, time.monotonic() + _CONNECT_S).close()
    except AddressRefused as e:
        _note(call, e)
        return False
    except (OSError, FunctionError):
        return False
    return True


@FAMILY.function(blocks=True)
def http_check(call: Call, url: str) -> bool:
    """Tell whether a request for the headers of an address succeeds within 10 seconds, after redirects.

    Example:
        if http_check("https://example.org/") { print("up") }
    """
    return 200 <= _status(call, url) < 300


@FAMILY.function(blocks=True)
def http_status(call: Call, url: str) -> int:
    """Return the status code of an address, after redirects; -1 if there is no answer.

    Example:
        let status = http_status("https://example.org/");
    """
    return _status(call, url)


def _status(call: Call, url: str) -> int:
    request = WebRequest(method="HEAD", url=url, timeout_s=_HEAD_S, max_redirects=10, ca_file=call.rights.ca_file)
    try:
        return send(call, NetworkReach.of(call.rights.net), request).status
    except AddressRefused as e:
        _note(call, e)
    except (WebFailed, FunctionError):
        pass
    return -1


def _note(call: Call, refused: AddressRefused) -> None:
    log.warning("net.refused", extra={"job": call.asker.job_id, "place": refused.place})
