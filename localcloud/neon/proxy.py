"""One port for all databases: the client names its endpoint in `options`, the proxy wakes it and passes the bytes on.

Passwords are between the client and Postgres. The `-pooler` form reaches the same compute: pooling is in session mode.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from localcloud.neon.compute import ComputeError
from localcloud.neon.configuration import SUPERUSER
from localcloud.neon.fleet import EndpointDisabledError, Fleet
from localcloud.neon.line import Line, dial
from localcloud.neon.records import Endpoint
from localcloud.neon.store import Store
from localcloud.neon.wire import (
    CancelRequest,
    EncryptionRequest,
    ProtocolError,
    Startup,
    error_response,
    parse_first_packet,
)

log = logging.getLogger("localcloud.neon")

_GREETING_SECONDS = 60.0
_BACKLOG = 1024
_REFUSE_ENCRYPTION = b"N"

_NO_ENDPOINT = (
    "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) for SNI support or pass "
    "the endpoint ID (first part of the domain name) as a parameter: '?options=endpoint%3D<endpoint-id>'."
)
_UNKNOWN_ENDPOINT = (
    "The requested endpoint could not be found, or you don't have access to it. Please check the provided ID and try "
    "again."
)
_DISABLED_ENDPOINT = "The endpoint has been disabled. Enable it using Neon API and retry."
_NO_COMPUTE = "Couldn't connect to compute node"


class RefusalError(Exception):
    """An error that the client gets instead of a session."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.packet = error_response(sqlstate, message)


class Proxy:
    """Accepts Postgres clients."""

    def __init__(self, fleet: Fleet, store: Store) -> None:
        self._fleet = fleet
        self._store = store
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self._accept), "127.0.0.1", port, backlog=_BACKLOG)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """End all sessions."""
        if self._server is not None:
            self._server.close()
        for session in self._sessions:
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def _accept(self, client: Line) -> None:
        session = asyncio.create_task(self._serve(client))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    async def _serve(self, client: Line) -> None:
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                first = await self._greet(client)
            if isinstance(first, CancelRequest):
                await self._cancel(first)
            elif first is not None:
                await self._connect(client, first)
        except RefusalError as refusal:
            client.write(refusal.packet)
        except (ProtocolError, TimeoutError, OSError) as error:
            log.debug("a client was dropped: %s", error)
        finally:
            client.close()

    async def _greet(self, client: Line) -> Startup | CancelRequest | None:
        while (packet := await client.first_packet()) is not None:
            first = parse_first_packet(packet)
            if not isinstance(first, EncryptionRequest):
                return first
            client.write(_REFUSE_ENCRYPTION)
        return None

    async def _connect(self, client: Line, startup: Startup) -> None:
        endpoint = self._endpoint(startup)
        try:
            async with self._fleet.session(endpoint) as compute:
                server = await dial(compute.socket)
                try:
                    server.write(startup.packet())
                    await client.join(server)
                finally:
                    server.close()
        except EndpointDisabledError:
            raise RefusalError("57P03", _DISABLED_ENDPOINT) from None
        except (ComputeError, OSError) as error:
            log.error("%s can't be reached: %s", endpoint.id, error)  # noqa: TRY400 - no trace, it says all
            raise RefusalError("08006", _NO_COMPUTE) from None

    def _endpoint(self, startup: Startup) -> Endpoint:
        if startup.endpoint_id is None:
            raise RefusalError("08P01", _NO_ENDPOINT)
        endpoint = self._store.one(Endpoint, id=startup.endpoint_id)
        if endpoint is None:
            raise RefusalError("08004", _UNKNOWN_ENDPOINT)
        if startup.parameters.get("user") == SUPERUSER:
            # The control plane's superuser is known by its process, which this one is: it must not get through.
            raise RefusalError("28P01", f'password authentication failed for user "{SUPERUSER}"')
        return endpoint

    async def _cancel(self, request: CancelRequest) -> None:
        """Ask every compute: only the one that issued the secret key heeds it."""
        for compute in self._fleet.computes():
            with suppress(OSError):
                server = await dial(compute.socket)
                server.write(request.packet)
                await server.closed()
                server.close()
