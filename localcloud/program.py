"""The program, run on the local cloud as a user runs it: `pulumi`, edits of stack files, and a look at the app."""

import json
import os
import subprocess
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from localcloud.cloud import ROOT, Cloud
from localcloud.shell import environment

NAMESPACE = "environments"


class CommandError(Exception):
    """A command ended with an error; the message is all that it said."""


@dataclass(frozen=True)
class Program:
    """A copy of the program in `folder` (see workspace.py) and the cloud that it runs on."""

    folder: Path
    cloud: Cloud
    backend: Path | None = None
    """Where the stacks' state lies; by default where the cloud keeps it."""

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a command that runs in the copy."""
        inherited = {key: value for key, value in os.environ.items() if key != "PULUMI_CONFIG_PASSPHRASE"}
        own = {"PULUMI_BACKEND_URL": self.backend.as_uri()} if self.backend else {}
        return inherited | environment(self.cloud) | own

    def run(self, *command: str, env: dict[str, str] | None = None, cwd: str = ".") -> str:
        """Run a command in the copy and return what it printed; CommandError if it fails."""
        done = subprocess.run(
            command,
            cwd=self.folder / cwd,
            env=self.environment | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CommandError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def pulumi(self, *arguments: str) -> str:
        """Run `pulumi` without questions and without colours; return what it printed."""
        return self.run("pulumi", *arguments, "--non-interactive", "--color=never")

    def select(self, stack: str) -> None:
        """Make the stack if it isn't there yet."""
        self.pulumi("stack", "select", "--create", stack)

    def up(self, stack: str, *arguments: str) -> str:
        """Promote without a separate preview."""
        return self.pulumi("up", "-s", stack, "--yes", "--skip-preview", *arguments)

    def preview(self, stack: str, *arguments: str) -> str:
        """Review."""
        return self.pulumi("preview", "-s", stack, *arguments)

    def outputs(self, stack: str) -> dict[str, Any]:
        """What the stack exports."""
        outputs: dict[str, Any] = json.loads(self.pulumi("stack", "output", "-s", stack, "--json"))
        return outputs

    def edit(self, stack: str, **settings: Any) -> None:
        """Set top-level settings in a stack file; None takes one out."""
        path = self.stack_file(stack)
        content = yaml.safe_load(path.read_text())
        for key, value in settings.items():
            content["config"].pop(f"{NAMESPACE}:{key}", None)
            if value is not None:
                content["config"][f"{NAMESPACE}:{key}"] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def setting(self, stack: str, key: str) -> Any:
        """Return one top-level setting."""
        return yaml.safe_load(self.stack_file(stack).read_text())["config"][f"{NAMESPACE}:{key}"]

    def stack_file(self, stack: str) -> Path:
        """Return the path of a stack's settings."""
        return self.folder / f"Pulumi.{stack}.yaml"

    def owner_url(self, stack: str, branch: str) -> str:
        """Return the direct URL of a branch for its owner, as Neon's console shows it: a secret."""
        outputs = self.outputs(stack)
        query = {"branch_id": outputs["branches"][branch], "database_name": "neondb", "role_name": "neondb_owner"}
        url = f"{self.cloud.neon_api_host}/projects/{outputs['projects']['neon']}/connection_uri"
        headers = {"Authorization": f"Bearer {self.cloud.neon_api_key}"}
        request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(query)}", headers=headers)  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (loopback)
            return str(json.load(answer)["uri"])

    def fill(self, stack: str, branch: str) -> str:
        """Bring the app's schema and some rows to a branch, as a developer does; return the owner's URL of it."""
        url = self.owner_url(stack, branch)
        for script in ("migrate", "seed"):
            self.run("npm", "run", "--silent", script, env={"DATABASE_URL": url}, cwd=str(ROOT / "app"))
        return url

    def health(self, domain: str) -> dict[str, Any]:
        """Ask the app at `domain` how it is and which branch answers."""
        request = urllib.request.Request(f"{self.cloud.vercel_edge_url}/health", headers={"Host": domain})  # noqa: S310
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (loopback)
            health: dict[str, Any] = json.load(answer)
            return health
