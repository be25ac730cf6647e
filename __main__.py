"""One environment: what its stack file says, worked out, then made. See README.md."""

import os
from pathlib import Path

import pulumi

from components.credentials import CredentialsError, require_credentials
from components.environment import Environment
from components.other_stacks import UnreadableStackError, read_exports
from components.plan import Digests, folders, foreign_stacks, plan
from components.settings import SettingsError
from components.stack_file import read_stack
from resources.app_files import app_digest

stack = pulumi.get_stack()
try:
    require_credentials(os.environ)
    settings = read_stack(stack)
    digests = Digests(**{name: app_digest(Path(folder)) for name, folder in folders(settings).items()})
    exports = read_exports(foreign_stacks(settings, stack))
    topology = plan(settings, stack, exports, digests)
except (CredentialsError, SettingsError, UnreadableStackError) as error:
    raise pulumi.RunError(str(error)) from None

environment = Environment(stack, topology, os.environ.get("VERCEL_TEAM"))
pulumi.export("projects", {"neon": environment.neon_project, "vercel": environment.vercel_project})
pulumi.export("branches", {name: branch.branch.id for name, branch in environment.branches.items()})
pulumi.export("leaving", topology.leaving or None)
pulumi.export("expires", environment.expiries or None)
pulumi.export("served", environment.cutover.served)
pulumi.export("way_back", environment.migration.way_back)
pulumi.export("domain", environment.cutover.domain)
