"""Stands for a process of the engine's that is started from one which has loaded everything: see starts.py.

Run with `python -I -S`, since it must be up in a few milliseconds: it imports next to nothing.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import marshal
import os
import sys

# The engine ends its hosts and plugins with SIGINT.
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)
folder, kind, *arguments = sys.argv[1:]
server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
server.connect(os.path.join(folder, f"{kind}-{os.urandom(1)[0] % 2}"))  # noqa: PTH118 - pathlib takes too long to load
order = marshal.dumps((os.getcwd(), arguments, dict(os.environ)))  # noqa: PTH109 - the same
descriptors = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([len(order).to_bytes(4, "little")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptors)])
server.sendall(order)
# It lives as long as the process that stands behind it, and that one as long as this.
os._exit(server.recv(1)[0] if server.recv(1, _socket.MSG_PEEK) else 1)
