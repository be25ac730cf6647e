"""Real programs on the real engine through the stand-in language host."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.localcloud.engine.conftest import Project

pytestmark = pytest.mark.e2e

Make = Callable[..., Project]
ROOT = Path(__file__).parents[3]

DYNAMIC = """
from pulumi import Input, dynamic

class Provider(dynamic.ResourceProvider):
    def check(self, old, new):
        failures = [] if new["size"] < 10 else [dynamic.CheckFailure("size", "size must be below 10")]
        return dynamic.CheckResult(new, failures)

    def diff(self, own, old, new):
        return dynamic.DiffResult(changes=old["size"] != new["size"])

    def create(self, new):
        return dynamic.CreateResult("one", new)

    def update(self, own, old, new):
        return dynamic.UpdateResult(new)

class Thing(dynamic.Resource):
    size: "Input[float]"

    def __init__(self, name, size):
        super().__init__(Provider(), name, {"size": size})
"""
MAIN = """
import pulumi
from thing import Thing

config = pulumi.Config()
pulumi.log.info("a message of the log")
print("a printed line")
thing = Thing("thing", config.get_int("size") or 1)
pulumi.export("size", thing.size)
pulumi.export("root", pulumi.get_root_directory())
pulumi.export("secret", config.get_secret("password"))
"""


def test_a_program_is_previewed_brought_up_changed_and_destroyed_without_a_warning(project: Make) -> None:
    made = project(MAIN, thing=DYNAMIC)
    made.run("config", "set", "--secret", "password", "hidden-word", "-s", "dev")

    shown = made.run("up", "--yes", "-s", "dev")
    shown += made.run("preview", "--expect-no-changes", "-s", "dev")
    shown += made.run("up", "--yes", "--skip-preview", "-s", "dev", "-c", "size=2")
    outputs = json.loads(made.run("stack", "output", "--json", "-s", "dev"))
    shown += made.run("destroy", "--yes", "--skip-preview", "-s", "dev")

    assert "a message of the log" in shown
    assert "a printed line" in shown
    assert outputs == {"size": 2, "root": str(made.directory), "secret": "[secret]"}
    assert "hidden-word" not in shown
    assert not re.search("warning|traceback", shown, re.IGNORECASE)


def test_a_check_that_refuses_is_shown_with_its_reason(project: Make) -> None:
    made = project(MAIN, thing=DYNAMIC)

    output = made.run("preview", "-s", "dev", "-c", "size=11", ok=False)

    assert "size must be below 10" in output
    assert "Traceback" not in output


def test_a_run_error_shows_its_message_alone(project: Make) -> None:
    made = project("import pulumi\nraise pulumi.RunError('serve names no branch: write serve: dev')\n")

    output = made.run("preview", "-s", "dev", ok=False)

    told = output.partition("Diagnostics:")[2].partition("Resources:")[0]
    assert [line.strip() for line in told.splitlines() if line.strip()] == [
        "pulumi:pulumi:Stack (program-dev):",
        "error: serve names no branch: write serve: dev",
    ]
    assert "Traceback" not in output
    assert ".py" not in output


def test_what_a_program_logs_is_one_diagnostic_of_its_severity_each(project: Make) -> None:
    made = project("import pulumi\npulumi.log.warn('look\\nhere')\nraise pulumi.RunError('no\\n  - way')\n")

    shown = json.loads(made.run("preview", "--json", "-s", "dev", ok=False))

    assert [(each["severity"], each["message"]) for each in shown["diagnostics"]] == [
        ("warning", "warning: look\nhere\n"),
        ("error", "error: no\n  - way\n"),
    ]


def test_another_exception_shows_the_programs_own_frames_only(project: Make) -> None:
    made = project("import broken\nbroken.go()\n", broken="def go():\n    raise ValueError('the reason')\n")

    output = made.run("preview", "-s", "dev", ok=False)

    assert "ValueError: the reason" in output
    assert "broken.py" in output
    assert "language_host.py" not in output
    assert "runpy" not in output


def test_a_syntax_error_and_an_exit_are_shown_too(project: Make) -> None:
    made = project("this is no python\n")
    assert "SyntaxError" in made.run("preview", "-s", "dev", ok=False)

    (made.directory / "__main__.py").write_text("import sys\nsys.exit('no more')\n")
    assert "the program exited with no more" in made.run("preview", "-s", "dev", ok=False)


def test_an_error_inside_an_apply_fails_the_preview(project: Make) -> None:
    made = project("import pulumi\npulumi.export('x', pulumi.Output.from_input(1).apply(lambda one: one / 0))\n")

    output = made.run("preview", "-s", "dev", ok=False)

    assert "ZeroDivisionError" in output


def test_a_stack_reads_another_ones_outputs(project: Make) -> None:
    project("import pulumi\npulumi.export('branch', 'br-1')\n", name="first").run(
        "up", "--yes", "--skip-preview", "-s", "dev"
    )
    second = project(
        "import pulumi\n"
        "pulumi.export('seen', pulumi.StackReference('organization/first/dev').require_output('branch'))\n",
        name="second",
    )

    second.run("up", "--yes", "--skip-preview", "-s", "dev")

    assert second.run("stack", "output", "seen", "-s", "dev").strip() == "br-1"


def test_the_programs_own_modules_come_first_and_the_hosts_own_folder_is_not_on_the_path(project: Make) -> None:
    made = project(
        "import sys, pulumi, localcloud, language_host\n"
        "pulumi.export('own', localcloud.OWN + language_host.OWN)\n"
        "pulumi.export('path', sys.path)\n",
        localcloud="OWN = 1\n",
        language_host="OWN = 2\n",
    )

    made.run("up", "--yes", "--skip-preview", "-s", "dev")

    outputs = json.loads(made.run("stack", "output", "--json", "-s", "dev"))
    assert outputs["own"] == 3
    assert outputs["path"][0] == str(made.directory)
    assert str(ROOT / "localcloud" / "engine") not in outputs["path"]


def test_an_interrupt_ends_a_running_program_quietly_and_leaves_no_process(project: Make) -> None:
    made = project("import os, time, pathlib\npathlib.Path('started').write_text(str(os.getpid()))\ntime.sleep(60)\n")
    process = made.command("preview", "-s", "dev")
    started = made.directory / "started"
    deadline = time.monotonic() + 20
    while not (started.exists() and started.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)

    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)

    assert time.monotonic() - begun < 4
    assert process.returncode != 0
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output
    assert not Path(f"/proc/{started.read_text()}").exists()


def test_a_hosts_end_never_waits_for_its_interrupt(project: Make) -> None:
    """The engine waits 5 s for a host that misses its SIGINT; a handler in Python missed one in ten."""
    made = project("import pulumi\n")
    times = []
    for _ in range(4):
        begun = time.monotonic()
        made.run("preview", "-s", "dev")
        times.append(time.monotonic() - begun)
    assert max(times) < min(times) + 4, "one waited, whatever the machine needs for a preview"


def test_a_program_runs_in_the_virtual_environment_that_its_settings_name(project: Make) -> None:
    made = project("import os, pulumi\npulumi.export('own', os.environ.get('OWN'))\n")
    settings = made.directory / "Pulumi.yaml"
    settings.write_text("name: program\nruntime:\n  name: python\n  options:\n    virtualenv: own\n")
    python = made.directory / "own" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nOWN=1 exec {sys.executable} "$@"\n')
    python.chmod(0o755)

    made.run("up", "--yes", "--skip-preview", "-s", "dev")

    assert made.run("stack", "output", "own", "-s", "dev").strip() == "1"


def test_install_makes_the_virtual_environment_and_installs_what_the_program_needs(project: Make) -> None:
    made = project("import pulumi\n")
    settings = made.directory / "Pulumi.yaml"
    settings.write_text("name: program\nruntime:\n  name: python\n  options:\n    virtualenv: own\n")
    package = made.directory / "needed-1-py3-none-any.whl"
    with zipfile.ZipFile(package, "w") as wheel:
        wheel.writestr("needed.py", "")
        wheel.writestr("needed-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: needed\nVersion: 1\n")
        wheel.writestr("needed-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("needed-1.dist-info/RECORD", "")
    (made.directory / "requirements.txt").write_text(f"./{package.name}\n")

    made.run("install")

    python = made.directory / "own" / "bin" / "python"
    subprocess.run([python, "-c", "import needed"], cwd="/", check=True)


def test_about_describes_the_host(project: Make) -> None:
    made = project("import pulumi\n")

    output = made.run("about", "-s", "dev")

    assert "This project is written in python" in output
    assert re.search(r"language +python +3\.259\.0", output)


def test_this_projects_own_settings_preview_without_a_warning(project: Make) -> None:
    made = project("import pulumi\n", name="environments")
    shutil.copy(ROOT / "Pulumi.yaml", made.directory)
    shutil.copytree(ROOT / "plugin", made.directory / "plugin")
    (made.directory / ".venv").symlink_to(ROOT / ".venv")

    output = made.run("preview", "-s", "dev")

    assert not re.search("warning|error", output, re.IGNORECASE)
