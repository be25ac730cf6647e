"""ExternalLogin: the environment's own login on branches that another stack owns, for as long as the pointer leads to one.

Under Pointer Swap nothing is copied, and nothing of the other stack's is touched: its owner's password, its logins and
its compute stay. This resource makes the environment's app role there, notes the baseline, and refuses a branch whose
compute is too small. It remembers every branch that it was a guest on, so that the way back to one needs no build, and
which id each name meant: a pointer doesn't follow when the other stack gives the name to another branch.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from environments import log
from environments.clients.http import NotFoundError
from environments.clients.neon import Endpoint, Neon, OperationFailedError
from environments.clients.postgres import UNREACHABLE, connected
from environments.cutover.guard import no_swap
from environments.cutover.served import ServedBranch
from environments.database.logins import close_login
from environments.database.marker import Claim, drop_claim
from environments.ids import BranchKey, RoleName, Transaction
from environments.program.own import LegacyResource
from environments.props import encode
from environments.resources.app_login import AppLoginProvider, address_of

_INPUTS = ("branch", "database", "owner", "role", "generation")
_LOGIN = ("endpoint", "pooled_url", "direct_url", "fingerprint", "baseline")


class ExternalLoginProvider(ResourceProvider):
    """Makes logins on other stacks' branches; deleting it leaves them."""

    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Settle which branch is meant, and refuse one that isn't there, is another one by now, or is too small."""
        if not news["stack"]:
            return CheckResult(_olds or news, [])
        name, known = f"{news['stack']}/{news['name']}", dict(_olds.get("known") or {})
        if refusal := _settled_refusal(_olds, news, known.get(name)):
            return CheckResult(news, [CheckFailure("", refusal)])
        branch = news["asked"] or known[name]
        news = news | {"branch": branch, "known": known | {name: branch}}
        newly = not _same(_olds, news, "stack", "name")
        if newly and not news["swaps"]:
            refusal = no_swap(name)
        else:
            refusal = "" if _same(_olds, news, "branch", "needs") else _small(news)
        return CheckResult(news, [CheckFailure("", refusal)] if refusal else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make the login, if there is a branch to be a guest on."""
        return CreateResult("guest", _moved_in(props, {}, {}))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, or another login on it."""
        return DiffResult(changes=not _same(_olds, _news, *_INPUTS))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Make the login on another branch, or another one on the same."""
        return UpdateResult(_moved_in(_news, _olds.get("kept") or {}, _olds.get("visited") or {}))

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Leave the branches: take the claims on them back, so that their stacks may do with them as they like."""
        for login in (_props.get("kept") or {}).values():
            try:
                with Neon() as neon, connected(neon.uri(address_of(login), pooled=False)) as connection:
                    drop_claim(connection, login["roles"], login["branch"])
                    for role in login["roles"]:
                        close_login(connection, role)
            except UNREACHABLE as error:
                log.warn(f"{login['branch']} may still say that it serves another stack: {error}")

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Forget the logins on branches that are gone."""
        kept, gone = props.get("kept") or {}, []
        with Neon() as neon:
            for branch in kept:
                try:
                    neon.branch(props["project"], branch)
                except NotFoundError:
                    gone.append(branch)
        there = {
            name: {key: value for key, value in (props.get(name) or {}).items() if key not in gone}
            for name in ("kept", "visited")
        }
        return ReadResult(id_, props | there)


class ExternalLogin(LegacyResource):
    """The app's own login on a branch of another stack. Deleting it leaves the roles, which go with the branch."""

    branch: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    pooled_url: pulumi.Output[str]
    direct_url: pulumi.Output[str]
    fingerprint: pulumi.Output[str]
    baseline: pulumi.Output[str]
    kept: pulumi.Output[dict[str, Any]]
    visited: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, props: dict[str, pulumi.Input[Any]], opts: pulumi.ResourceOptions) -> None:
        """Be a guest as `props` say.

        project                 the Neon project's id
        stack, name             whose branch, by its key there; both empty where the pointer leads to none
        asked                   its id as that stack exports it, empty where it doesn't
        swaps                   whether the strategy lets the pointer move to another stack's branch
        needs                   stack, min_cu, max_cu, suspend, protected: what the branch must have
        database, owner, role, roles, generation   as of AppLogin
        """
        outputs = dict.fromkeys(("branch", "known", *_LOGIN, "kept", "visited"))
        secret = pulumi.ResourceOptions(additional_secret_outputs=["pooled_url", "direct_url", "kept"])
        super().__init__(
            ExternalLoginProvider(), name, {**props, **outputs}, pulumi.ResourceOptions.merge(opts, secret)
        )


def _same(olds: dict[str, Any], news: dict[str, Any], *keys: str) -> bool:
    return all(olds.get(key) == news.get(key) for key in keys)


def _settled_refusal(olds: dict[str, Any], news: dict[str, Any], known: str | None) -> str:
    """Return why the pointer can't tell which branch it leads to, or nothing."""
    stack, name, asked = news["stack"], news["name"], news["asked"]
    if not asked and not known:
        return f"the pointer leads to {name} of stack {stack}, which exports no such branch: run pulumi up -s {stack}"
    if asked and known and asked != known and _same(olds, news, "stack", "name"):
        return (
            f"{name} of stack {stack} is another branch ({asked}) than the pointer leads to ({known}), and "
            "a pointer never follows by itself: serve a branch of this stack first, or give that one its name back"
        )
    return ""


def _small(props: dict[str, Any]) -> str:
    """Return why the branch can't carry this environment, with the remedy, or nothing."""
    needs, stack, name = Claim.of(props["needs"]), props["stack"], props["name"]
    with Neon() as neon:
        compute = _compute(neon, props)
        protected = bool(neon.branch(props["project"], props["branch"]).protected)
    sizes = compute.min_cu, compute.max_cu
    lacks = needs.lacks(*sizes, compute.suspend_seconds, protected=protected)
    if not lacks:
        return ""
    return (
        f"branch {name} of stack {stack} can't carry {needs.stack}: {'; '.join(lacks)}. In Pulumi.{stack}.yaml write "
        f"{name}: {{{needs.settings()}}} under branches, run pulumi up -s {stack}, then come back"
    )


def _compute(neon: Neon, props: dict[str, Any]) -> Endpoint:
    for compute in neon.endpoints(props["project"], props["branch"]):
        if compute.type == "read_write":
            return compute
    raise OperationFailedError(f"branch {props['name']} of stack {props['stack']} has no compute that can write")


def _moved_in(
    props: dict[str, Any], kept: dict[str, dict[str, Any]], visited: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Make the login, and note it: in `kept` with its secrets, in `visited` as a Cutover knows a branch."""
    if not props["stack"]:
        return props | {"kept": kept, "visited": visited} | dict.fromkeys(_LOGIN, "")
    branch = props["branch"]
    with Neon() as neon:
        endpoint = _compute(neon, props).id
    asked = {key: props[key] for key in ("project", "branch", "database", "owner", "role", "roles", "generation")}
    asked |= {
        "endpoint": endpoint,
        "serves": True,
        "keep": True,
        "adopted": False,
        "fate": "retain",
        "guests": {},
        "guest": True,
    }
    access = AppLoginProvider()
    login = access.update("", kept[branch], asked).outs if branch in kept else access.create(asked).outs
    if login is None:
        raise AssertionError("a login that was made has outputs")
    place = encode(
        ServedBranch(
            address=address_of(login),
            key=BranchKey(f"{props['stack']}/{props['name']}"),
            role=RoleName(login["role"]),
            roles=(RoleName(login["roles"][0]), RoleName(login["roles"][1])),
            baseline=Transaction(login["baseline"]),
            claim=Claim.of(props["needs"]),
        )
    )
    noted = {"kept": kept | {branch: login}, "visited": visited | {branch: place}}
    return props | {key: login[key] for key in _LOGIN} | noted
