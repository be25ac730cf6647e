"""An app waits with its migrations: its files stay what they were until those ran."""

from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from environments.resources.deployment import DeploymentProvider

RUNS = {"path": "app", "digest": "old", "branch": "br-1", "fingerprint": "f1", "waiting": []}
ADDED = RUNS | {"digest": "fresh"}


def checked(news: dict[str, Any], olds: dict[str, Any] = RUNS) -> tuple[dict[str, Any], list[str]]:
    found = DeploymentProvider().check(olds, news)
    return dict(found.inputs), [failure.reason for failure in found.failures]


def test_nothing_waits_for_nothing() -> None:
    assert checked(ADDED) == (ADDED, [])


def test_an_app_whose_migrations_wait_stays_as_it_is() -> None:
    for waiting in (["0002_more"], UNKNOWN):
        kept, refused = checked(ADDED | {"waiting": waiting})
        assert (kept["digest"], refused) == ("old", [])


def test_it_is_not_built_for_another_branch_or_login_before_they_ran() -> None:
    for other in ({"branch": "br-2"}, {"fingerprint": "f2"}):
        _, [refused] = checked(ADDED | other | {"waiting": ["0002_more"]})
        assert refused.startswith("0002_more wait for their review (stop_after_rehearsal)")


def test_the_first_deployment_waits_for_nothing() -> None:
    assert checked(ADDED | {"waiting": ["0002_more"]}, {}) == (ADDED | {"waiting": ["0002_more"]}, [])
