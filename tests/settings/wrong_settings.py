"""Every way in which a production stack file can be wrong: what is edited, and what the refusal must say."""

from typing import Any

FROM_DEV = {"from": {"stack": "dev", "branch": "dev"}}

WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "an unknown key",
        {"serves": "prod-v1"},
        ["environments:serves", "no such setting", "target, git_branch, project, branches, serve"],
    ),
    (
        "an unknown key further down",
        {"compute": {"min_cpu": 1}},
        ["environments:compute.min_cpu", "no such setting", "min_cu, max_cu, suspend"],
    ),
    (
        "an unknown strategy",
        {"strategy": {"kind": "big-bang"}},
        [
            "environments:strategy.kind",
            "'big-bang'",
            "must be",
            "'clone-and-promote', 'pointer-swap', 'standard-migration'",
        ],
    ),
    (
        "a strategy without its kind",
        {"strategy": {"migrations": "app/drizzle"}},
        ["environments:strategy.kind", "needed and missing", "clone-and-promote, pointer-swap, standard-migration"],
    ),
    (
        "an unknown key of a strategy",
        {"strategy": {"kind": "standard-migration", "folder": "x"}},
        ["environments:strategy.folder", "no such setting", "use one of: kind, migrations, lint"],
    ),
    (
        "migrations outside the project",
        {"strategy": {"kind": "standard-migration", "migrations": "/srv/migrations"}},
        ["environments:strategy.migrations", "'/srv/migrations'", "inside the project", "relative to Pulumi.yaml"],
    ),
    (
        "a timeout that is none",
        {"strategy": {"kind": "standard-migration", "lock_timeout": "soon"}},
        ["environments:strategy.lock_timeout", "'soon'", "1 second to 1 day", "Write 5s"],
    ),
    (
        "a pause of writes without an end",
        {"safety": {"write_pause": "never"}},
        ["environments:safety.write_pause", "'never'", "1 second to 1 day", "Write 5s"],
    ),
    (
        "an unknown target",
        {"target": "live"},
        ["environments:target", "'live'", "'production', 'preview' or 'development'"],
    ),
    (
        "serve names no branch",
        {"serve": "prod-v9"},
        ["environments:serve", "'prod-v9'", "no such branch", "serve one of: prod-v1"],
    ),
    (
        "a branch that is cloned and adopted",
        {"branches": {"prod-v1": {**FROM_DEV, "adopt": True}}},
        ["environments:branches.prod-v1", "has no source here", "Remove from and at, or remove adopt"],
    ),
    (
        "a branch that is retired and released",
        {"branches": {"prod-v1": FROM_DEV, "old": {**FROM_DEV, "retire": True, "release": True}}},
        ["environments:branches.old", "retire deletes a branch with its rows", "Keep one"],
    ),
    (
        "a served branch that is retired",
        {"branches": {"prod-v1": {**FROM_DEV, "retire": True}}},
        ["environments:branches.prod-v1.retire", "prod-v1 serves", "Serve another branch first"],
    ),
    (
        "a retired branch with copies",
        {"branches": {"old": {**FROM_DEV, "retire": True}, "prod-v1": {"from": {"branch": "old"}}}},
        ["environments:branches.old.retire", "prod-v1 was cloned from old", "Retire and drop them first"],
    ),
    (
        "a branch without rows that stays",
        {"branches": {"prod-v1": {**FROM_DEV, "schema_only": True}}},
        ["environments:branches.prod-v1", "without rows is temporary", "Add expires: 7d"],
    ),
    (
        "a life that is too long",
        {"branches": {"prod-v1": {**FROM_DEV, "expires": "31d"}}},
        ["environments:branches.prod-v1.expires", "'31d'", "1 minute to 30 days", "Write 12h or 7d"],
    ),
    (
        "a preview environment of no git branch",
        {"target": "preview", "app": None},
        ["environments:git_branch", "belongs to one git branch", "Add git_branch: feature-x"],
    ),
    (
        "a branch cloned from itself",
        {"branches": {"prod-v1": {"from": {"branch": "prod-v1"}}}},
        ["environments:branches.prod-v1.from", "'prod-v1'", "from itself", "Name another branch"],
    ),
    (
        "branches cloned in a circle",
        {"branches": {"prod-v1": FROM_DEV, "a": {"from": {"branch": "b"}}, "b": {"from": {"branch": "a"}}}},
        ["environments:branches.a.from", "'b'", "a -> b -> a", "circle", "Give one another source"],
    ),
    (
        "a production branch from nowhere",
        {"branches": {"prod-v1": {}}},
        ["environments:branches.prod-v1.from", "cloned from", "Add from: {stack: dev, branch: dev}"],
    ),
    (
        "min above max",
        {"compute": {"min_cu": 4, "max_cu": 2}},
        ["environments:compute", "min_cu 4 is above max_cu 2", "Raise max_cu or lower min_cu"],
    ),
    (
        "a size that Neon doesn't sell",
        {"compute": {"min_cu": 0.75}},
        ["environments:compute.min_cu", "0.75", "0.25, 0.5 and whole numbers", "Choose one of these"],
    ),
    (
        "a size that is no number",
        {"compute": {"min_cu": "big"}},
        ["environments:compute.min_cu", "'big'", "0.25, 0.5", "Choose one of these"],
    ),
    (
        "autoscaling that is too wide",
        {"compute": {"min_cu": 1, "max_cu": 16}},
        ["environments:compute", "1 to 16 CU", "8 CU", "closer together"],
    ),
    (
        "a compute that suspends too soon",
        {"compute": {"suspend": 5}},
        ["environments:compute.suspend", "'5'", "60 seconds to 7 days", "Write never"],
    ),
    (
        "a branch name that Neon refuses",
        {"branches": {"prod v1!": FROM_DEV}, "serve": "prod-v1"},
        ["environments:branches.prod v1!", "'prod v1!'", "letters, digits", "Rename it"],
    ),
    (
        "a project name that Vercel refuses",
        {"project": {"name": "My Shop"}},
        ["environments:project.name", "'My Shop'", "lower-case letters", "Choose such a name"],
    ),
    (
        "a project name that Neon refuses",
        {"project": {"name": "a" * 65}},
        ["environments:project.name", "64 characters", "Choose a shorter name"],
    ),
    (
        "a Neon project id that is none",
        {"project": {"neon": "shop", "vercel": "prj_abc"}},
        ["environments:project.neon", "'shop'", "late-frost-12345678", "Copy it"],
    ),
    (
        "half an adoption",
        {"project": {"neon": "late-frost-12345678"}},
        ["environments:project", "belong together", "Write both ids"],
    ),
    (
        "a point in time without a zone",
        {"branches": {"prod-v1": {**FROM_DEV, "at": "2026-11-01 12:00"}}},
        ["environments:branches.prod-v1.at", "'2026-11-01 12:00'", "with its zone", "2026-11-01T12:00:00Z"],
    ),
    (
        "an object that is none",
        {"compute": "large"},
        ["environments:compute", "'large'", "object with keys", "indented"],
    ),
    (
        "an app outside the project",
        {"app": {"path": "../shop"}},
        ["environments:app.path", "'../shop'", "inside the project", "relative to Pulumi.yaml"],
    ),
    (
        "a health check that is no path",
        {"app": {"health": {"path": "health"}}},
        ["environments:app.health.path", "'health'", "starts with '/'", "/health"],
    ),
    ("production without an app", {"app": None}, ["environments:app", "deploys an app", "Add app: {path: app}"]),
    (
        "a role name that Postgres would have to quote",
        {"database": {"owner": "Owner"}},
        ["environments:database.owner", "'Owner'", "lower-case letters", "Choose such a name"],
    ),
    (
        "a source without a branch",
        {"branches": {"prod-v1": {"from": {"stack": "dev"}}}},
        ["environments:branches.prod-v1.from.branch", "needed and missing", "Add"],
    ),
]
