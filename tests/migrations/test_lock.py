"""One migration at a time: the lock is the database's, ends with its holder, and says who that is."""

import os
import signal
import subprocess
import sys
import time

import pytest

from environments.migrations.lock import KEY, LockedError, locked
from tests.localcloud.neon.hosting import ROOT
from tests.resources.computes import Session
from tests.resources.computes import run as query

pytestmark = pytest.mark.slow

HOLDER = """
import os, sys
from environments.migrations.lock import locked
with locked(os.environ["URL"], 1):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_one_waits_for_its_time_and_then_says_who_holds_it(url: str) -> None:
    began = time.monotonic()
    with locked(url, 1), pytest.raises(LockedError, match=f"process {os.getpid()} as neondb_owner"), locked(url, 0.5):
        pass
    assert 0.5 <= time.monotonic() - began < 5


def test_it_is_given_back_at_the_end_of_the_block(url: str, owner: Session) -> None:
    with locked(url, 1):
        assert query(owner, f"SELECT pg_try_advisory_lock({KEY})") == [(False,)]
    owner.execute("SET lock_timeout = '5s'")
    query(owner, f"SELECT pg_advisory_lock({KEY})")  # its session ends a moment after the block


def test_a_holder_that_is_killed_holds_it_no_more(url: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=ROOT,
        env=os.environ | {"URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=f"process {holder.pid}"), locked(url, 0.2):
            pass
        holder.send_signal(signal.SIGKILL)
    with locked(url, 5):
        pass


def test_a_lock_whose_session_was_ended_is_found_lost(url: str, owner: Session) -> None:
    with locked(url, 1) as lock:
        lock.require()
        query(owner, "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'")
        with pytest.raises(LockedError, match="was lost"):
            lock.require()
