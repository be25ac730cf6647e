"""The command that runs seeded histories, a part of `make faults`; one of them again by its number."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import use_memory
from tests.faults.histories.history import BrokenPromiseError, History, Told
from tests.faults.histories.shop import shop


def main(arguments: Sequence[str] | None = None) -> int:
    """Run histories; the exit code is 1 if one broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.histories", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the number of the first: with --seeds 1 it alone")
    parser.add_argument("--minutes", type=float, default=600, help="after how many minutes no further one begins")
    options = parser.parse_args(arguments)
    use_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended then, too
    ends, told, broken = time.monotonic() + 60 * options.minutes, list[Told](), list[str]()
    with tempfile.TemporaryDirectory(prefix="histories-") as folder, shop(Path(folder) / "cloud") as there:
        for seed in range(options.first, options.first + options.seeds):
            if time.monotonic() > ends:
                break
            began, history = time.monotonic(), History(there, seed)
            try:
                history.run()
            except BrokenPromiseError as error:
                broken.append(str(error))
                _say(str(error))
            else:
                history.remove()
            told.append(history.told)
            _say(f"{time.monotonic() - began:.0f} s: {history.told}")
    _say(_summary(told, broken))
    return 1 if broken else 0


def _summary(told: Sequence[Told], broken: Sequence[str]) -> str:
    edits = sum(len(each.edits) for each in told)
    faults, kills = sum(each.faults for each in told), sum(each.kills for each in told)
    return (
        f"{len(told)} histories, {edits} edits, {faults} faults of which {kills} kills, "
        f"{sum(each.refused for each in told)} edits refused for the rows that they would leave; "
        f"{sum(each.acknowledged for each in told)} writes acknowledged, {sum(each.failed_writes for each in told)} "
        f"refused or failed; {sum(each.reads for each in told)} reads, {sum(each.failed_reads for each in told)} "
        "failed; "
        f"longest time without a write {max((each.longest_gap for each in told), default=0):.1f} s; "
        f"{len(broken)} histories broke a promise"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
