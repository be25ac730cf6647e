"""A process of its own for the cloud under test: it can be killed, and its computes have to cope."""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from localcloud.neon import NeonCloud


async def main() -> None:
    """Serve until SIGTERM; the ports are the first line of stdout."""
    state, api_port, proxy_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    cloud = NeonCloud(state, api_key=os.environ["NEON_API_KEY"], api_port=api_port, proxy_port=proxy_port)
    terminated = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    await cloud.start()
    sys.stdout.write(json.dumps([cloud.api_port, cloud.proxy_port]) + "\n")
    sys.stdout.flush()
    await terminated.wait()
    await cloud.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    asyncio.run(main())
