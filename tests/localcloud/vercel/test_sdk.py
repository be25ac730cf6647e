"""Vercel's own TypeScript SDK, which validates every answer, as a judge of the wire shapes."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from localcloud.vercel import VercelCloud

SDK = "@vercel/sdk@1.28.35"
TOKEN = "t" * 24


@pytest.mark.slow
async def test_the_vendors_sdk_accepts_every_answer(tmp_path: Path, cloud: VercelCloud) -> None:
    shutil.copy(Path(__file__).with_name("sdk_calls.mjs"), tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    await _run(tmp_path, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", SDK)
    address = f"http://127.0.0.1:{cloud.api_port}"
    said = await _run(tmp_path, "node", "sdk_calls.mjs", VERCEL_API_URL=address, VERCEL_API_TOKEN=TOKEN, NO_PROXY="*")
    assert int(said) == 30


async def _run(folder: Path, *command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()
    return output.decode()
