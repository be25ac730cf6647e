"""The variables in Vercel that name the served database."""

from __future__ import annotations

import pulumi
import pulumiverse_vercel as vercel


def make_variable(
    key: str,
    value: pulumi.Input[str],
    *,
    project: pulumi.Input[str],
    targets: tuple[str, ...],
    git_branch: str | None,
    sensitive: bool,
    protect: bool,
    opts: pulumi.ResourceOptions,
) -> vercel.ProjectEnvironmentVariable:
    """Make one variable; a replaced one goes before its successor comes, since Vercel takes no second of a name.

    One that is to be sensitive and was adopted as an encrypted one stays that: only a replacement could change it.
    """
    settled = ["sensitive"] if sensitive else []
    first = pulumi.ResourceOptions(delete_before_replace=True, protect=protect, ignore_changes=settled)
    return vercel.ProjectEnvironmentVariable(
        key,
        project_id=project,
        key=key,
        value=value,
        targets=list(targets),
        git_branch=git_branch,
        sensitive=sensitive,
        opts=pulumi.ResourceOptions.merge(first, opts),
    )
