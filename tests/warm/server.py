"""Loads what a host or a plugin imports, once, and forks it off for each that the engine starts: see starts.py."""

from __future__ import annotations

import array
import gc
import importlib
import marshal
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable

from localcloud.cloud import ROOT

_LANGUAGE_HOST = ROOT / "localcloud" / "engine" / "language_host.py"


def load_language() -> None:
    """Import what a program imports, and forget the program's own modules: each copy of it has others."""
    importlib.import_module("components.environment")
    runpy.run_path(str(_LANGUAGE_HOST), run_name="loaded")
    for name in [name for name in sys.modules if name.partition(".")[0] == "components"]:
        del sys.modules[name]


def load_plugins() -> None:
    """Import what the three plugins import, the rest of Pulumi's SDK left out as they do."""
    importlib.import_module("environments.plugin.__main__").import_protocol_only()
    registry = importlib.import_module("environments.plugin.registry")
    for token in registry.MODULES:
        registry.resource_of(token)
    registry.resource_of.cache_clear()
    for name in ("environments.plugin.server", "localcloud.plugins.serve", "localcloud.plugins.server"):
        importlib.import_module(name)
    for package in importlib.import_module("localcloud.plugins.serve").PACKAGES.values():
        importlib.import_module(package)
    for name in ("httpx", "psycopg"):  # the library loads them when it first needs them
        importlib.import_module(name)
    for name in ("pulumi", "pulumi.runtime", "pulumi.runtime.proto"):  # each plugin puts its own there
        del sys.modules[name]


def run_language(arguments: list[str]) -> None:
    """Be the language host."""
    sys.argv = [str(_LANGUAGE_HOST), *arguments]
    runpy.run_path(str(_LANGUAGE_HOST), run_name="__main__")


def run_plugin(arguments: list[str]) -> None:
    """Be one of the plugins."""
    module, *rest = arguments
    sys.argv = [module, *rest]
    importlib.import_module(module).main(*rest[:1])


LOADS: dict[str, tuple[Callable[[], None], Callable[[list[str]], None]]] = {
    "language": (load_language, run_language),
    "plugins": (load_plugins, run_plugin),
}


def serve(kind: str, path: str) -> None:
    """Fork for each client, until standard input ends: whoever started this is gone then."""
    load, run = LOADS[kind]
    load()
    assert threading.active_count() == 1, "a thread would be missing in the fork"
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener.fileno(), 0], [], [], 1.0)
            _reap()
            if 0 in ready:
                return
            if listener.fileno() in ready:
                client, _ = listener.accept()
                if os.fork() == 0:
                    listener.close()
                    _be(client, run)
                client.close()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _be(client: socket.socket, run: Callable[[list[str]], None]) -> None:
    """Become what the client stands for, in its folder, with its environment and its streams; never returns."""
    status = 1
    try:
        os.setpgid(0, 0)
        arguments = _take(client)
        threading.Thread(target=_end_after, args=(client,), daemon=True).start()
        run(arguments)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - it's shown as Python shows it, and the process ends
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        client.send(bytes([status]))
        os._exit(status)


def _take(client: socket.socket) -> list[str]:
    size, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    descriptors = array.array("i")
    descriptors.frombytes(ancillary[0][2])
    order = b""
    wanted = int.from_bytes(size, "little")
    while len(order) < wanted:
        order += client.recv(wanted - len(order))
    folder, arguments, environment = marshal.loads(order)  # noqa: S302 - from client.py, over a private socket
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    return list(arguments)


def _end_after(client: socket.socket) -> None:
    """End as the client did: with it, whoever killed it."""
    client.recv(1)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve(*sys.argv[1:])
