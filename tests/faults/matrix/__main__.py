"""The command behind `make faults`: runs as many points of the matrix as it is given time for, and prints the table."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from localcloud.cloud import ROOT
from tests.conftest import use_memory
from tests.faults.matrix.judge import NOT
from tests.faults.matrix.points import Point, in_order
from tests.faults.matrix.results import Results, table
from tests.faults.matrix.run import is_fine, ran, read_recordings, recorded, write_recordings
from tests.faults.matrix.scenarios import SCENARIOS
from tests.faults.matrix.snapshots import Snapshots

FOLDER = ROOT / ".local" / "faults"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run points; the exit code is 1 if one that ran did not converge."""
    options = _options(arguments)
    use_memory()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was started is ended then, too
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    snapshots = Snapshots(folder / "worlds", warm=True)
    results = Results(options.folder / "results.jsonl")
    if options.fresh:
        results.file.unlink(missing_ok=True)
    try:
        points = _points(options, snapshots)
        if options.table:
            sys.stdout.write("\n".join(table(points, results.read())) + "\n")
            return 0
        others = [_other(options, share) for share in range(1, options.jobs)]
        _run(options, points, snapshots, results)
        for other in others:
            other.wait()
    finally:
        snapshots.remove()
        folder.rmdir()
    if not options.share:
        sys.stdout.write("\n".join(table(points, results.read())) + "\n")
    found = results.read()
    return 0 if is_fine([found[point.id] for point in points if point.id in found]) else 1


def _points(options: argparse.Namespace, snapshots: Snapshots) -> list[Point]:
    file = options.folder / "recordings.json"
    recordings = {} if options.fresh else read_recordings(file)
    for scenario in SCENARIOS:
        if scenario.name not in recordings and (not options.scenario or scenario.name in options.scenario):
            began = time.monotonic()
            recordings[scenario.name] = recorded(snapshots, scenario)
            _say(f"{scenario.name}: {len(recordings[scenario.name])} requests, {time.monotonic() - began:.0f} s")
            write_recordings(file, recordings)
    wanted = {name: found for name, found in recordings.items() if not options.scenario or name in options.scenario}
    points = in_order(wanted, options.seed)
    return [point for point in points if all(part in point.id for part in options.only)]


def _run(options: argparse.Namespace, points: list[Point], snapshots: Snapshots, results: Results) -> None:
    done = {} if options.again else results.read()
    mine = [point for point in points if point.id not in done][: options.limit]
    ends = time.monotonic() + 60 * options.minutes
    for number, point in enumerate(mine):
        if number % options.jobs != options.share:
            continue
        if time.monotonic() > ends:
            _say(f"{options.minutes:g} minutes are over; run again to go on")
            return
        result = ran(snapshots, point)
        results.add(point, result)
        _say(f"{number + 1}/{len(mine)} {point.id}: {result.verdict}, {result.seconds} s")
        for each in result.wrong if result.verdict == NOT else []:
            _say(f"    {each[-300:]}")


def _other(options: argparse.Namespace, share: int) -> subprocess.Popen[bytes]:
    """Start a process that runs its share of the points in a world of its own."""
    own = ["--share", str(share), "--jobs", str(options.jobs), "--limit", str(options.limit)]
    own += ["--seed", str(options.seed), "--minutes", str(options.minutes), "--folder", str(options.folder)]
    own += [part for each in options.scenario for part in ("--scenario", each)]
    own += [part for each in options.only for part in ("--only", each)]
    return subprocess.Popen([sys.executable, "-m", "tests.faults.matrix", *own], cwd=ROOT)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("--limit", type=int, default=1_000_000, help="how many points to run at most")
    parser.add_argument("--minutes", type=float, default=600, help="after how many minutes no further point begins")
    parser.add_argument("--seed", type=int, default=1, help="the order of the points")
    parser.add_argument("--jobs", type=int, default=1, help="how many worlds at the same time")
    parser.add_argument("--scenario", action="append", default=[], help="only this scenario; may be given again")
    parser.add_argument("--only", action="append", default=[], help="only points whose name holds this")
    parser.add_argument("--again", action="store_true", help="run points that have a result too")
    parser.add_argument("--fresh", action="store_true", help="forget what was recorded and run before")
    parser.add_argument("--table", action="store_true", help="print the table of what was run, and run nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where recordings and results lie")
    parser.add_argument("--share", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
