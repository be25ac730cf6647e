"""Cutover: the pointer. Its state says which branch serves, and with what each branch that ever served did so.

An update probes the staged deployment, moves the production domains to it without a build, and looks at the domain as a
visitor would. A failure at any step leaves or puts back what was: production never points to what didn't answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from resources.http import NotFoundError
from resources.probe import Health, UnhealthyError, probe
from resources.vercel_api import Vercel

_POINTER = ("branch", "fingerprint", "deployment")


class CutoverProvider(ResourceProvider):
    """Moves the pointer; deleting the resource moves nothing."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Point for the first time."""
        return CreateResult("cutover", _cut_over(props, {}))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Tell the reviewer where the pointer goes and how it comes back."""
        changes = any(_olds.get(key) != _news.get(key) for key in _POINTER)
        if changes:
            pulumi.log.info(_review(_olds, _news))
        return DiffResult(changes=changes)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Point to another branch, or to another deployment on the same one."""
        return UpdateResult(_cut_over(_news, _olds["history"]))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Look where the domain really leads: a cutover that was cut short, or a promotion by hand, shows here."""
        if not props["deployment"]:
            return ReadResult(id_, props)
        with Vercel() as vercel:
            serving = vercel.serving(vercel.domain(props["vercel"]))
            if serving in (None, props["deployment"]):
                return ReadResult(id_, props)
            try:
                meta = vercel.deployment(str(serving)).get("meta", {})
            except NotFoundError:
                meta = {}
        found = {
            "deployment": serving,
            "branch": meta.get("neonBranch", ""),
            "fingerprint": meta.get("credentials", ""),
        }
        return ReadResult(id_, props | found)


class Cutover(Resource, module="environments", name="Cutover"):
    """The environment's pointer: which branch it serves, by which deployment, since when."""

    served: pulumi.Output[dict[str, str]]
    domain: pulumi.Output[str]

    def __init__(  # noqa: PLR0913 - a pointer has this many parts
        self,
        name: str,
        *,
        vercel: pulumi.Input[str],
        served_name: str,
        branch: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        baseline: pulumi.Input[str],
        deployment: pulumi.Input[str],
        deployment_url: pulumi.Input[str],
        health: Health,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Point to `branch` by way of `deployment`; an empty `deployment` means that pushes make this target's own."""
        props = {
            "vercel": vercel,
            "served_name": served_name,
            "branch": branch,
            "fingerprint": fingerprint,
            "baseline": baseline,
            "deployment": deployment,
            "deployment_url": deployment_url,
            "health_path": health.path,
            "health_status": health.status,
            "served": None,
            "domain": None,
            "history": None,
        }
        super().__init__(CutoverProvider(), name, props, opts)


def _cut_over(props: dict[str, Any], history: dict[str, Any]) -> dict[str, Any]:
    domain = _promote(props) if props["deployment"] else ""
    served = {
        "branch": props["served_name"],
        "id": props["branch"],
        "deployment": props["deployment"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    entry = served | {"baseline": props["baseline"], "credentials": props["fingerprint"]}
    return props | {"served": served, "domain": domain, "history": history | {props["branch"]: entry}}


def _promote(props: dict[str, Any]) -> str:
    """Move the production domains to the deployment, unless it doesn't answer; return the domain that was checked."""
    project, deployment = props["vercel"], props["deployment"]
    health = Health(props["health_path"], int(props["health_status"]))
    with Vercel() as vercel:
        domain = vercel.domain(project)
        before = vercel.serving(domain)
        if before != deployment:
            probe(props["deployment_url"], health)
            vercel.promote(project, deployment, domain)
        try:
            probe(domain, health)
        except UnhealthyError as error:
            if before and before != deployment:
                vercel.promote(project, before, domain)
                raise UnhealthyError(f"{error}; {domain} leads to {before} again, as it did before") from None
            raise
    return domain


def _review(olds: dict[str, Any], news: dict[str, Any]) -> str:
    was, now = olds["served"]["branch"], news["served_name"]
    if was == now:
        return f"The pointer stays on {now}; a new deployment replaces the one that serves it, once it is healthy."
    return (
        f"The pointer moves from {was} to {now}. {was} stays as it is, rows and all.\n"
        f"To undo: pulumi config set serve {was}, then pulumi up."
    )
