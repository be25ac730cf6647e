"""Ready: proof that the very URL that the app will get opens the right branch, before anything points to it."""

from __future__ import annotations

from dataclasses import dataclass

from environments import log
from environments.clients.lazy_imports import psycopg
from environments.clients.neon import Address, Neon
from environments.clients.postgres import UNREACHABLE, NotReadyError, connected, password_of
from environments.database.prewarm import Prewarmed, hot_relations, prewarm
from environments.ids import BranchKey, Fingerprint
from environments.props import Secret, Unknown, Unwatched, known
from environments.resources.typed import State, Typed


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Both of the app's URLs lead to the branch at `address`, which the stack file calls `name`.

    `fingerprint` tells when the URLs change.
    """

    name: Unwatched[BranchKey]
    address: Address | Unknown
    pooled_url: Secret[Unwatched[str | Unknown]]
    direct_url: Secret[Unwatched[str | Unknown]]
    fingerprint: Fingerprint | Unknown


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Nothing: what was proven is said by the inputs."""


class Ready(Typed[Inputs, Outputs]):
    """Connects as the app will; what it found is checked again whenever branch or credentials change."""

    def create(self, new: Inputs) -> tuple[str, Outputs]:
        """Prove it for the first time."""
        _prove(new)
        return "ready", Outputs()

    def update(self, old: State[Inputs, Outputs], new: Inputs) -> Outputs:
        """Prove it for what is served next, and warm its cache with what was hot on what is served until now."""
        _prove(new)
        was, now = known(old.inputs.address), known(new.address)
        if was.branch != now.branch:
            log.info(f"{new.name}: {_prewarm(was, now)}")
        return Outputs()


def _prewarm(was: Address, now: Address) -> Prewarmed:
    """Read what was hot on one branch into the cache of the next one; a failure leaves it cold."""
    try:
        with Neon() as neon, connected(neon.uri(was, pooled=False)) as connection:
            hot = hot_relations(connection)
        with Neon() as neon, connected(neon.uri(now, pooled=False)) as connection:
            return prewarm(connection, hot)
    except (*UNREACHABLE, psycopg.Error) as error:
        return Prewarmed(0, 0, f"it stays cold: {error}")


def _prove(new: Inputs) -> None:
    """Raise NotReadyError unless both URLs open the branch that they are meant for."""
    address = known(new.address, "the branch's database")
    branch, endpoint = address.branch, address.endpoint
    with Neon() as neon:
        computes = {found.id: found for found in neon.endpoints(address.project, branch)}
    if endpoint not in computes or computes[endpoint].disabled:
        raise NotReadyError(f"branch {branch} has no enabled compute {endpoint}")
    for kind, url in (("direct", known(new.direct_url)), ("pooled", known(new.pooled_url))):
        if not password_of(url):
            raise NotReadyError(f"the {kind} URL of branch {branch} has no password")
        with connected(url) as connection:
            row = connection.execute("SELECT current_setting('neon.branch_id', true)").fetchone()
        answered = row[0] if row else None
        if answered != branch:
            raise NotReadyError(
                f"the {kind} URL leads to {answered or 'a server that names no branch'}, not to {branch}"
            )
