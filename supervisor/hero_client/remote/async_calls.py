"""Calls a supervisor by JSON-RPC from asyncio. `server` has what both ways share."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import h11

from hero_client.remote.server import RemoteServer, message

_CHUNK_BYTES: Final = 65_536
_CONNECT_S: Final = 10.0


async def call(server: RemoteServer, method: str, params: Any, wait_s: float | None = None) -> dict[str, Any]:
    """Make one call; see `RemoteServer.call`.

    Args:
        server: Which supervisor.
        method: Name of the method.
        params: Parameters, by name or by position.
        wait_s: Longest wait in seconds; None for no limit.

    Raises:
        ServerUnusable: No connection, no answer in time, or none that can be read.
    """
    request = message(method, params)
    try:
        async with asyncio.timeout(wait_s):
            answer = await (_by_websocket(server, request) if server.by_websocket else _by_http(server, request))
    except (OSError, h11.ProtocolError) as e:
        raise server.unusable(e) from e
    return server.parsed(answer)


async def _by_http(server: RemoteServer, request: bytes) -> bytes:
    parts = urlsplit(server.url)
    if parts.scheme == "unix":
        reader, writer = await asyncio.open_unix_connection(server.socket_path)
        host = "localhost"
    else:
        context: ssl.SSLContext | None = server.tls() if parts.scheme == "https" else None
        port = parts.port or (443 if context else 80)
        reader, writer = await asyncio.open_connection(parts.hostname or "", port, ssl=context)
        host = parts.netloc.rpartition("@")[2]
    try:
        return await _post(reader, writer, host, server.token, request)
    finally:
        writer.transport.abort()


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, token: str, request: bytes
) -> bytes:
    http = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Content-Type", "application/json"), ("Content-Length", str(len(request)))]
    headers.append(("Connection", "close"))
    if token:
        headers.append(("Authorization", f"Bearer {token}"))
    for event in (
        h11.Request(method="POST", target="/rpc", headers=headers),
        h11.Data(data=request),
        h11.EndOfMessage(),
    ):
        writer.write(http.send(event) or b"")
    await writer.drain()
    answer = bytearray()
    while True:
        found = http.next_event()
        if found is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK_BYTES))
        elif isinstance(found, h11.Data):
            answer += found.data
        elif isinstance(found, h11.EndOfMessage):
            return bytes(answer)
        elif isinstance(found, h11.ConnectionClosed):
            raise ConnectionResetError("the connection was closed before the answer came")


async def _by_websocket(server: RemoteServer, request: bytes) -> str | bytes:
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    context = server.tls() if server.url.startswith("wss:") else None
    try:
        async with connect(server.url, ssl=context, open_timeout=_CONNECT_S, max_size=None) as opened:
            if server.token:
                await opened.send(message("authenticate", {"token": server.token}).decode())
                answer = await opened.recv()
                if "error" in json.loads(answer):
                    return answer
            await opened.send(request.decode())
            return await opened.recv()
    except WebSocketException as e:
        raise server.cut(e) from e
