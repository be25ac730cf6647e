"""Ids and names as types of their own: a Neon project is no Vercel project, and a branch's key is not its id."""

from __future__ import annotations

from typing import Literal, NewType

NeonProject = NewType("NeonProject", str)
"""A Neon project's id, such as late-frost-12345678."""

BranchId = NewType("BranchId", str)
"""A Neon branch's id, such as br-cool-darkness-12345678."""

EndpointId = NewType("EndpointId", str)
"""A Neon compute endpoint's id, such as ep-cool-darkness-12345678."""

VercelProject = NewType("VercelProject", str)
"""A Vercel project's id, such as prj_AbC123."""

DeploymentId = NewType("DeploymentId", str)
"""A Vercel deployment's id, such as dpl_AbC123."""

VariableId = NewType("VariableId", str)
"""The id of one of a Vercel project's environment variables."""

BranchKey = NewType("BranchKey", str)
"""How a stack file calls a branch; for a branch of another stack, `stack/key`."""

StackName = NewType("StackName", str)
"""The name of a Pulumi stack, without its project."""

RoleName = NewType("RoleName", str)
"""The name of a Postgres role."""

DatabaseName = NewType("DatabaseName", str)
"""The name of a Postgres database."""

Fingerprint = NewType("Fingerprint", str)
"""A short digest of a URL: it tells when the URL changes, and nothing of what the URL holds."""

Transaction = NewType("Transaction", str)
"""A 64-bit Postgres transaction id in decimal, as text: JSON numbers don't hold 64 bits."""

Lsn = NewType("Lsn", str)
"""A log sequence number of Postgres, such as 0/1A2B3C4."""

DeletionPolicy = Literal["retain", "delete", "orphan", "expire"]
"""What becomes of a branch whose line is dropped from the stack file, in the words of Kubernetes and CloudFormation.

retain      nothing: our own code refuses to drop it
delete      Neon deletes it with its rows (`retire: true`)
orphan      it lives on in Neon, owned by nobody (`release: true`)
expire      it is temporary: Neon deletes it, at its end or when its line is dropped
"""
