"""Every type through the real engine: made, unchanged, changed, replaced, refreshed, imported, deleted."""

from typing import Any, cast

import pytest

from tests.localcloud.plugins.neon_stub import PASSWORD, NeonStub
from tests.localcloud.plugins.recorder import Recorder
from tests.localcloud.plugins.stack import Declared, Stack, warnings
from tests.localcloud.plugins.vercel_stub import VercelStub

pytestmark = pytest.mark.e2e


def everything(**changed: dict[str, Any]) -> Declared:
    """One of each type; a keyword overrides properties of the resource of that name."""
    declared: Declared = {
        "project": ("neon.Project", {"name": "app", "pg_version": 18}, {}),
        "branch": ("neon.Branch", {"project_id": "$project.id", "name": "dev"}, {}),
        "endpoint": (
            "neon.Endpoint",
            {"project_id": "$project.id", "branch_id": "$branch.id", "autoscaling_limit_max_cu": 1},
            {},
        ),
        "role": ("neon.Role", {"project_id": "$project.id", "branch_id": "$branch.id", "name": "app"}, {}),
        "database": (
            "neon.Database",
            {"project_id": "$project.id", "branch_id": "$branch.id", "owner_name": "$role.name", "name": "shop"},
            {},
        ),
        "site": ("vercel.Project", {"name": "site", "auto_assign_custom_domains": False}, {}),
        "url": (
            "vercel.ProjectEnvironmentVariable",
            {
                "project_id": "$site.id",
                "key": "DATABASE_URL",
                "value": "$secret:postgres://one",
                "sensitive": True,
                "targets": ["production"],
            },
            {"delete_before_replace": True},
        ),
    }
    for name, properties in changed.items():
        kind, before, options = declared[name]
        declared[name] = (kind, before | properties, options)
    return declared


def test_everything_is_made_as_the_originals_do_and_a_second_preview_changes_and_asks_nothing(
    stack: Stack, neon: Recorder, vercel: Recorder
) -> None:
    stack.declare(everything())
    preview = stack.run("preview", "-s", "dev")
    assert "+ 8 to create" in preview
    assert neon.taken() == []
    assert vercel.taken() == []

    output = stack.up()

    assert warnings(preview + output) == []
    posts = {str(request): request.body for request in neon.requests if request.method == "POST"}
    assert posts == {
        "POST /api/v2/projects": {
            "project": {
                "name": "app",
                "pg_version": 18,
                "store_passwords": True,
                "history_retention_seconds": 86400,
            }
        },
        "POST /api/v2/projects/proj-1/branches": {"branch": {"name": "dev", "protected": False}},
        "POST /api/v2/projects/proj-1/endpoints": {
            "endpoint": {
                "branch_id": "br-4",
                "type": "read_write",
                "autoscaling_limit_max_cu": 1,
                "pooler_enabled": False,
                "disabled": False,
                "suspend_timeout_seconds": 0,
            }
        },
        "POST /api/v2/projects/proj-1/branches/br-4/roles": {"role": {"name": "app"}},
        "POST /api/v2/projects/proj-1/branches/br-4/databases": {"database": {"name": "shop", "owner_name": "app"}},
    }
    assert vercel.taken() == [
        "POST /v8/projects",
        "GET /v8/projects/prj_1/env",
        "PATCH /v9/projects/prj_1",
        "GET /v10/projects/prj_1",
        "POST /v10/projects/prj_1/env",
    ]
    neon.taken()

    stack.unchanged()

    assert neon.taken() == []
    assert vercel.taken() == []


def test_secrets_are_ciphertext_in_the_state_and_never_shown(stack: Stack) -> None:
    shown = stack.up(everything())
    shown += stack.up(everything(url={"value": "$secret:postgres://two"}))
    shown += stack.run("preview", "--diff", "--json", "--refresh", "-s", "dev")

    found = stack.resources()

    for text in (PASSWORD, "postgres://one", "postgres://two", "neon-key", "vercel-token"):
        assert text not in shown
        assert text not in str(found)
    for name, secrets in {
        "project": ["connectionUri", "connectionUriPooler", "databasePassword"],
        "role": ["password"],
        "url": ["value"],
    }.items():
        assert all("ciphertext" in found[name]["outputs"][secret] for secret in secrets), name


def test_changes_in_place_are_patches(stack: Stack, neon: Recorder, vercel: Recorder) -> None:
    stack.up(everything())
    neon.taken()
    vercel.taken()

    stack.up(
        everything(
            project={"name": "renamed"},
            branch={"name": "dev2", "protected": "yes"},
            endpoint={"autoscaling_limit_max_cu": 2},
            database={"name": "shop2"},
            site={"framework": "nextjs"},
            url={"value": "$secret:postgres://two", "comment": "why"},
        )
    )

    changes = [(str(request).replace("/api/v2/projects/proj-1", ""), request.body) for request in neon.writes()]
    assert sorted(changes, key=str) == sorted(
        [
            ("PATCH ", {"project": {"name": "renamed"}}),
            ("PATCH /branches/br-4", {"branch": {"name": "dev2"}}),
            ("PATCH /branches/br-4", {"branch": {"protected": True}}),
            (
                "PATCH /endpoints/ep-5",
                {
                    "endpoint": {
                        "branch_id": "br-4",
                        "type": "read_write",
                        "autoscaling_limit_min_cu": 0.25,
                        "autoscaling_limit_max_cu": 2,
                        "settings": {"pg_settings": {}},
                        "pooler_enabled": False,
                        "pooler_mode": "transaction",
                        "disabled": False,
                        "provisioner": "k8s-neonvm",
                        "suspend_timeout_seconds": 0,
                    }
                },
            ),
            ("PATCH /branches/br-4/databases/shop", {"database": {"name": "shop2"}}),
        ],
        key=str,
    )
    sent = {str(request): request.body for request in vercel.writes()}
    assert sent["PATCH /v9/projects/prj_1"]["framework"] == "nextjs"
    assert sent["PATCH /v10/projects/prj_1/env/env2"] == {
        "value": "postgres://two",
        "target": ["production"],
        "comment": "why",
        "type": "sensitive",
    }
    stack.unchanged()
    assert stack.resources()["branch"]["outputs"]["protected"] == "yes"


def test_a_change_that_the_provider_cannot_make_replaces(stack: Stack) -> None:
    stack.up(everything())

    steps = stack.steps(
        everything(
            branch={"parent_timestamp": 1_767_225_700},
            role={"name": "other"},
            database={"owner_name": "other"},
            url={"key": "DATABASE_URL_UNPOOLED"},
        )
    )

    assert {name for name, step in steps.items() if step == "replace"} >= {"branch", "role", "database", "url"}
    assert "project" not in steps
    assert stack.steps(everything(project={"region_id": "elsewhere"}))["project"] == "replace"


def test_a_refresh_finds_what_changed_and_drops_what_is_gone(stack: Stack, neon: Recorder, vercel: Recorder) -> None:
    stack.up(everything())
    there, site = cast("NeonStub", neon.answer), cast("VercelStub", vercel.answer)
    there.branches["br-4"]["name"] = "renamed-elsewhere"
    there.endpoints.pop("ep-5")
    site.variables.clear()

    stack.run("refresh", "--yes", "--skip-preview", "-s", "dev")

    assert set(stack.resources()) >= {"project", "branch", "role", "database", "site"}
    assert not {"endpoint", "url"} & set(stack.resources())
    steps = stack.steps(everything())
    assert steps == {"branch": "update", "endpoint": "create", "url": "create"}


def test_everything_can_be_imported_by_its_id_alone_and_deleted(stack: Stack, neon: Recorder, vercel: Recorder) -> None:
    stack.up(everything())
    exported = stack.resources()
    stack.forget()
    neon.taken()

    ids = {
        "project": "proj-1",
        "branch": "proj-1/br-4",
        "endpoint": "proj-1/ep-5",
        "role": "proj-1/br-4/app",
        "database": "proj-1/br-4/shop",
        "site": exported["site"]["id"],
        "url": f"{exported['site']['id']}/{exported['url']['id']}",
    }
    declared = everything()
    for name, own in ids.items():
        kind, properties, options = declared[name]
        declared[name] = (kind, properties, options | {"import_": own})
    del declared["url"][1]["value"]
    declared["url"][1]["value_wo"] = "$secret:unknown"
    stack.up(declared)

    assert neon.writes() == []
    found = stack.resources()
    assert {name: found[name]["id"] for name in ids} == {name: exported[name]["id"] for name in ids}

    stack.run("destroy", "--yes", "--skip-preview", "-s", "dev")

    assert cast("NeonStub", neon.answer).projects == {}
    assert cast("VercelStub", vercel.answer).projects == {}
    assert stack.resources() == {}
