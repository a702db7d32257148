"""The document of `rpc.discover`, without a server or a store."""

from __future__ import annotations

import asyncio
from typing import Any

from hero_client import SupervisorBuilder
from hero_config.model.settings import JobsSettings, RpcSettings
from hero_supervisor.rpc.endpoint import build_dispatcher


def whole_document() -> dict[str, Any]:
    """Build the document as a server with the default settings does; nothing is connected."""

    async def build() -> dict[str, Any]:
        async with SupervisorBuilder().redis_url("redis://127.0.0.1:6379/").build_async() as supervisor:
            dispatcher = build_dispatcher(supervisor, RpcSettings(), JobsSettings())
            found: dict[str, Any] = await dispatcher.methods["rpc.discover"].function()
            return found

    return asyncio.run(build())
