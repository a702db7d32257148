"""Makes calls through web3's IPC and WebSocket providers; test_foreign_clients.py runs it with an interpreter that has
web3.

Usage: python web3_calls.py SOCKET PORT. Prints the results as one line of JSON.
"""

import asyncio
import json
import sys
from typing import Any

from web3 import AsyncWeb3
from web3.providers.ipc import IPCProvider
from web3.providers.persistent import AsyncIPCProvider, WebSocketProvider

JOB = {"caller_id": "02abc", "context_id": "02def", "script_type": "SAL", "script": "40 + 2"}

# Without this, an error answer that no method of web3 waits for would end the connection.
QUIET = {"silence_listener_task_exceptions": True}


def talk(provider: Any) -> dict[str, Any]:
    job_id = provider.make_request("create_job", [JOB])["result"]
    return {
        "status": provider.make_request("get_job_status", [job_id])["result"],
        "error": provider.make_request("get_job", ["nobody"])["error"]["code"],
        "version": provider.make_request("version", [])["result"]["name"],
    }


async def talk_async(provider: Any) -> dict[str, Any]:
    async with AsyncWeb3(provider) as web3:
        job_id = (await web3.provider.make_request("create_job", [JOB]))["result"]
        statuses = await asyncio.gather(*(web3.provider.make_request("get_job_status", [job_id]) for _ in range(50)))
        error = await web3.provider.make_request("get_job", ["nobody"])
        return {
            "status": statuses[0]["result"],
            "many": len(statuses),
            "error": error["error"]["code"],
            "version": (await web3.provider.make_request("version", []))["result"]["name"],
        }


path, port = sys.argv[1:]
said = {"ipc": talk(IPCProvider(path))}
said["async_ipc"] = asyncio.run(talk_async(AsyncIPCProvider(path, **QUIET)))
said["websocket"] = asyncio.run(talk_async(WebSocketProvider(f"ws://127.0.0.1:{port}/", **QUIET)))
print(json.dumps(said))
