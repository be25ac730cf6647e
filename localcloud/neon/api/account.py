"""The user and organisation that clients ask for before they do anything else."""

from __future__ import annotations

from localcloud.neon.api.routing import Answer, Request, Routes, ok
from localcloud.neon.api.views import OWNER_ID
from localcloud.neon.control import ControlPlane

ORGANIZATION_ID = "org-local-00000001"
_SINCE = "2025-01-01T00:00:00Z"
_REGIONS = ("aws-us-east-1", "aws-us-east-2", "aws-us-west-2", "aws-eu-central-1", "aws-eu-west-2")


async def get_user(_control: ControlPlane, _request: Request) -> Answer:
    """GET /users/me."""
    return Answer(
        200,
        {
            "active_seconds_limit": 0,
            "auth_accounts": [],
            "email": "local@example.com",
            "id": OWNER_ID,
            "image": "",
            "login": "local",
            "name": "Local",
            "last_name": "User",
            "projects_limit": 1000,
            "branches_limit": 5000,
            "max_autoscaling_limit": 56,
            "plan": "scale_v3",
        },
    )


async def list_organizations(_control: ControlPlane, _request: Request) -> Answer:
    """GET /users/me/organizations."""
    organization = {
        "id": ORGANIZATION_ID,
        "name": "local",
        "handle": "local",
        "plan": "scale_v3",
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "managed_by": "console",
        "require_mfa": False,
        "allow_hipaa_projects": False,
    }
    return ok(organizations=[organization])


async def list_shared_projects(_control: ControlPlane, _request: Request) -> Answer:
    """GET /projects/shared."""
    return ok(projects=[])


async def list_regions(_control: ControlPlane, _request: Request) -> Answer:
    """GET /regions."""
    regions = [
        {"region_id": name, "name": name, "default": name == _REGIONS[0], "geo_lat": "0", "geo_long": "0"}
        for name in _REGIONS
    ]
    return ok(regions=regions)


ROUTES: Routes = (
    ("GET", "/users/me", get_user),
    ("GET", "/users/me/organizations", list_organizations),
    ("GET", "/projects/shared", list_shared_projects),
    ("GET", "/regions", list_regions),
)
