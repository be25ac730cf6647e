"""The first cutover takes the domain from what serves it already, if anything does: what that means for its rows.

Which database a deployment uses can't be asked of Vercel. A deployment of this program bears its branch in its `meta`,
and an app may name it in the answer to the health check; of any other a person has to say that it may go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from environments.clients.vercel import Vercel, visit
from environments.cutover.guard import ANY, Allowance
from environments.cutover.review import is_known


@dataclass(frozen=True)
class Serving:
    """The deployment that has the domain, and the id of the branch that it uses, None if that isn't known.

    One that is not `ours` connects with a login that was there before.
    """

    deployment: str
    domain: str
    branch: str | None
    ours: bool


def serving_now(news: dict[str, Any]) -> Serving | None:
    """Return what has the domain of a Cutover that is still to be made, or None."""
    if not is_known(news["vercel"]):
        return None
    with Vercel() as vercel:
        domain = vercel.domain(news["vercel"])
        serving = vercel.serving(domain)
        meta = (vercel.deployment(serving).meta or {}) if serving else {}
    if serving is None:
        return None
    ours = meta.get("neonBranch")
    branch = ours or (visit(domain, news["health_path"]).branch if news["health_path"] else None)
    return Serving(serving, domain, branch, ours is not None)


def takeover_refusal(news: dict[str, Any], serving: Serving | None) -> str:
    """Return why the domain may not be taken from what serves, or nothing."""
    if serving is None:
        return ""
    now, who = news["served_name"], f"{serving.deployment}, which serves {serving.domain} now,"
    if not serving.ours and serving.branch in (None, news["branch"]) and news["shuts_logins"]:
        return (
            f"{who} would lose its login before the domain has moved: write logins: keep at "
            f"environments:branches.{now}, and take that out again once {now} serves"
        )
    if serving.branch == news["branch"] or _accepted(news, serving):
        return ""
    accept = f'pulumi config set accept \'{{"branch": "{serving.deployment}", "rows": "any"}}\''
    if serving.branch:
        return (
            f"{who} uses branch {serving.branch}: the rows that visitors wrote to it would be left behind, and how "
            f"many those are isn't known here. To take the domain all the same: {accept}"
        )
    return (
        f"{who} doesn't tell which database it uses. If that is {now}, nothing is left behind; of any other one the "
        f"rows that visitors wrote would be. To take the domain: {accept}"
    )


def _accepted(news: dict[str, Any], serving: Serving) -> bool:
    allowance = Allowance.of(news["guard"])
    return allowance.accepted_branch == serving.deployment and allowance.accepted_rows == ANY
