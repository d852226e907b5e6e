"""Tornado's HTTP server on a loopback socket, and the writing of deliveries.

Tornado reads the requests. Responses are written to its stream byte by byte as the delivery says,
so that a broken one is broken in exactly the way that was asked for; a good one ends with
tornado's own `finish`, and the connection serves the next request.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError

from vertex_claude_magic.emulator.http.delivery import Delivery
from vertex_claude_magic.emulator.http.response import Received

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection
    from tornado.httputil import HTTPServerRequest

__all__ = ["end_all", "serve"]

# Above the limit of the service, so that the refusal of too large a request is its own.
_LARGEST_BODY = 256 * 1024 * 1024
_BATCH = 64 * 1024
_TICK = 0.001  # seconds; pieces due within one tick leave together
# SO_LINGER with a time of zero: closing sends RST in place of FIN.
_LINGER_ZERO = struct.pack("ii", 1, 0)

Handler = Callable[[Received], Delivery]


async def serve(
    sock: socket.socket, handler: Handler, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Answer requests on a listening socket until `stop` is set, then close every connection."""
    # The loop refers to its tasks weakly, so a strong reference is needed.
    calls: set[asyncio.Task[None]] = set()

    def on_request(request: HTTPServerRequest) -> None:
        call = asyncio.ensure_future(_answer(request, handler))
        calls.add(call)
        call.add_done_callback(calls.discard)

    server = HTTPServer(on_request, max_body_size=_LARGEST_BODY, max_buffer_size=_LARGEST_BODY)
    server.add_sockets([sock])
    ready()
    await stop.wait()
    server.stop()
    await end_all(calls)
    await server.close_all_connections()
    # Until it was closed, a connection could bring one more request.
    await end_all(calls)


async def end_all(calls: set[asyncio.Task[None]]) -> None:
    """Cancel the tasks and wait for their end, also of those that are added meanwhile."""
    while calls:
        for call in tuple(calls):
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0)


async def _answer(request: HTTPServerRequest, handler: Handler) -> None:
    connection = cast("HTTP1Connection", request.connection)
    stream = connection.stream
    gone = asyncio.Event()
    connection.set_close_callback(gone.set)
    # Small pieces leave at once, as those of the service do.
    stream.set_nodelay(True)
    try:
        raw = request.body
        try:
            body = json.loads(raw) if raw[:1] in {b"{", b"["} else None
        except (ValueError, RecursionError):
            body = None
        received = Received(
            method=str(request.method),
            path=request.path,
            query=dict(parse_qsl(request.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in request.headers.get_all()},
            raw=raw,
            body=body,
        )
        delivery = handler(received)
        await _deliver(stream, delivery, gone)
        if delivery.ending == "keep":
            connection.finish()
            return
        if delivery.ending == "reset" and not stream.closed():
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        stream.close()
    except StreamClosedError:
        stream.close()
    except BaseException:
        # Also when the task is cancelled: a client must not wait for the rest.
        stream.close()
        raise


async def _deliver(stream: IOStream, delivery: Delivery, gone: asyncio.Event) -> None:
    if delivery.delay:
        await _pause(delivery.delay, gone)
    buffer = bytearray(delivery.head)
    clock = asyncio.get_running_loop().time
    due = clock()
    for wait, piece in delivery.steps:
        due += wait
        if wait and (ahead := due - clock()) > _TICK:
            await _write(stream, buffer)
            await _pause(ahead, gone)
        buffer += piece
        if not delivery.batch or len(buffer) > _BATCH:
            await _write(stream, buffer)
            # A finished write does not give way by itself, and others want to be answered too.
            await asyncio.sleep(0)
    await _write(stream, buffer)


async def _write(stream: IOStream, buffer: bytearray) -> None:
    if buffer:
        data = bytes(buffer)
        buffer.clear()
        await stream.write(data)


async def _pause(seconds: float, gone: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(gone.wait(), None if math.isinf(seconds) else seconds)
    except asyncio.TimeoutError:
        return
    raise StreamClosedError
