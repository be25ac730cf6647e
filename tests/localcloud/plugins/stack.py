"""A stack of the real engine whose program is a JSON table."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Declared = dict[str, tuple[str, dict[str, Any], dict[str, Any]]]
PROGRAM = Path(__file__).parent / "program" / "__main__.py"


@dataclass
class Stack:
    """One stack, in a project folder of its own."""

    directory: Path
    environment: dict[str, str]
    backend: Path
    pristine: Path

    def prepare(self) -> None:
        """Makes the project and its empty stack."""
        self.directory.mkdir(parents=True)
        (self.directory / "Pulumi.yaml").write_text("name: plugins\nruntime: python\n")
        shutil.copy(PROGRAM, self.directory)
        self.declare({})
        self.run("stack", "init", "dev")

    def declare(self, resources: Declared) -> None:
        (self.directory / "resources.json").write_text(json.dumps(resources))

    def run(self, *arguments: str, ok: bool = True, **environment: str) -> str:
        """The command's whole output; it must succeed, or fail where `ok` is false."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.directory,
            env={**os.environ, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=90,
        )
        assert (done.returncode == 0) is ok, done.stdout
        return done.stdout

    def up(self, resources: Declared | None = None, *, ok: bool = True) -> str:
        if resources is not None:
            self.declare(resources)
        return self.run("up", "--yes", "--skip-preview", "-s", "dev", ok=ok)

    def unchanged(self) -> str:
        return self.run("preview", "--expect-no-changes", "-s", "dev")

    def steps(self, resources: Declared) -> dict[str, str]:
        """What a preview would do to each resource that it would touch, by its name."""
        self.declare(resources)
        found = json.loads(self.run("preview", "--json", "-s", "dev"))
        return {step["urn"].split("::")[-1]: step["op"] for step in found["steps"] if step["op"] != "same"}

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by name; secrets are ciphertext."""
        [file] = self.backend.glob(".pulumi/stacks/plugins/dev.json")
        latest = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        return {resource["urn"].split("::")[-1]: resource for resource in latest.get("resources", [])}

    def outputs(self) -> dict[str, Any]:
        found: dict[str, Any] = self.resources()["plugins-dev"]["outputs"]
        return found

    def forget(self) -> None:
        """Empties the state, and nothing else."""
        shutil.rmtree(self.backend)
        shutil.copytree(self.pristine, self.backend)


def warnings(output: str) -> list[str]:
    return [line for line in output.splitlines() if re.search(r"\bwarning\b|Traceback", line, re.IGNORECASE)]
