"""Ready: proof that the very URL that the app will get opens the right branch, before anything points to it."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult

from environments import log
from environments.clients.http import ApiError, ApiUnreachableError
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Address, Neon, OperationFailedError
from environments.clients.postgres import NotReadyError, connected, password_of
from environments.database.prewarm import Warmth, hot_relations, warm
from environments.program.own import LegacyResource


class ReadyProvider(ResourceProvider):
    """Connects as the app will; what it found is checked again whenever branch or credentials change."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Prove it for the first time."""
        _prove(props)
        return CreateResult("ready", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another branch, compute or credential has to be proven anew."""
        return DiffResult(
            changes=any(_olds.get(key) != _news.get(key) for key in ("branch", "endpoint", "fingerprint"))
        )

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Prove it for what is served next, and warm that with what was hot on what is served until now."""
        _prove(_news)
        if _news["branch"] != _olds["branch"]:
            log.info(f"{_news['name']}: {_warm(_olds, _news)}")
        return UpdateResult(_news)


class Ready(LegacyResource):
    """The served branch answers to the app's own URLs."""

    def __init__(
        self,
        name: str,
        *,
        project: pulumi.Input[str],
        served_name: str,
        branch: pulumi.Input[str],
        endpoint: pulumi.Input[str],
        database: str,
        owner: str,
        pooled_url: pulumi.Input[str],
        direct_url: pulumi.Input[str],
        fingerprint: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Prove that both URLs lead to `branch`, which the program calls `served_name`, over `endpoint`."""
        props = {
            "project": project,
            "name": served_name,
            "database": database,
            "owner": owner,
            "branch": branch,
            "endpoint": endpoint,
            "pooled_url": pooled_url,
            "direct_url": direct_url,
            "fingerprint": fingerprint,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["pooled_url", "direct_url"])
        super().__init__(ReadyProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def _warm(olds: dict[str, Any], news: dict[str, Any]) -> Warmth:
    """Read what was hot on the branch of `olds` into the cache of the one of `news`; a failure leaves it cold."""
    try:
        with Neon() as neon, connected(neon.uri(_address(olds), pooled=False)) as connection:
            hot = hot_relations(connection)
        with Neon() as neon, connected(neon.uri(_address(news), pooled=False)) as connection:
            return warm(connection, hot)
    except (ApiError, ApiUnreachableError, NotReadyError, OperationFailedError, psycopg.Error) as error:
        return Warmth(0, 0, f"it stays cold: {error}")


def _address(props: dict[str, Any]) -> Address:
    return Address(*(props[key] for key in ("project", "branch", "endpoint", "database", "owner")))


def _prove(props: dict[str, Any]) -> None:
    """Raise NotReadyError unless both URLs open the branch that they are meant for."""
    branch, endpoint = props["branch"], props["endpoint"]
    with Neon() as neon:
        computes = {found.id: found for found in neon.endpoints(props["project"], branch)}
    if endpoint not in computes or computes[endpoint].disabled:
        raise NotReadyError(f"{endpoint} is no enabled compute of branch {branch}")
    for kind in ("direct_url", "pooled_url"):
        if not password_of(props[kind]):
            raise NotReadyError(f"the {kind} for branch {branch} holds no password")
        with connected(props[kind]) as connection:
            row = connection.execute("SELECT current_setting('neon.branch_id', true)").fetchone()
        answered = row[0] if row else None
        if answered != branch:
            raise NotReadyError(f"the {kind} leads to branch {answered or 'without a name'}, not to {branch}")
