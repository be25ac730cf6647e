"""The ports of a local cloud: preferred ones where they are free, and then the same for ever."""

import os
import random
import socket
from dataclasses import asdict, dataclass, fields

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """Five ports on the loopback interface."""

    neon_api: int
    postgres: int
    vercel_api: int
    edge: int
    page: int


# Below the ports that the kernel gives to outgoing connections, which would take one while the local cloud is stopped.
LASTING_PORTS = range(20000, 32768)
_ATTEMPTS = 50

PREFERRED_PORTS = Ports(neon_api=7430, postgres=7431, vercel_api=7432, edge=7433, page=7434)
ANY_PORTS = Ports(neon_api=0, postgres=0, vercel_api=0, edge=0, page=0)


def wanted_ports() -> Ports:
    """The preferred ports, or any free ones if LOCALCLOUD_PORTS is `any`: for tests, and for clouds side by side."""
    return ANY_PORTS if os.environ.get("LOCALCLOUD_PORTS") == "any" else PREFERRED_PORTS


def free_ports(preferred: Ports) -> Ports:
    """Each preferred port that nobody listens on, a free one in the place of the others."""
    chosen = {}
    held: list[socket.socket] = []
    try:
        for port in fields(Ports):
            candidates = [getattr(preferred, port.name), *random.sample(LASTING_PORTS, _ATTEMPTS)]
            listener = next((listener for number in candidates if number and (listener := _listen(number))), None)
            if listener is None:
                raise OSError(f"no free port on {LOOPBACK}")
            held.append(listener)
            chosen[port.name] = int(listener.getsockname()[1])
    finally:
        for listener in held:
            listener.close()
    return Ports(**chosen)


def taken_ports(ports: Ports) -> list[int]:
    """Those of the ports that some process listens on now."""
    taken = []
    for number in asdict(ports).values():
        listener = _listen(number)
        if listener is None:
            taken.append(number)
        else:
            listener.close()
    return taken


def _listen(port: int) -> socket.socket | None:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(1)
    except OSError:
        listener.close()
        return None
    return listener
