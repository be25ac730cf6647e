"""One environment: what its stack file says, worked out, then made. See README.md."""

import os

import pulumi

from components.environment import Environment
from environments.program import read_topology

topology = read_topology()
environment = Environment(topology.stack, topology, team=os.environ.get("VERCEL_TEAM"))
for name, value in environment.exports.items():
    pulumi.export(name, value)
