"""Pending migrations in the comment: their SQL, folded, and what is worth knowing of them, wherever they were told."""

from environments.migrations.checks.judge import JudgeOptions
from tests.commands.report.test_comment import GOLDEN, recorded, shown
from tests.migrations.folders import shown as block_of
from tests.migrations.folders import verdict

BLOCK = block_of(
    verdict(
        "SELECT '```';\n--> statement-breakpoint\nALTER TABLE orders ADD COLUMN stamp timestamp;",
        "DROP INDEX @octocat",
        "SET ROLE other",
        options=JudgeOptions(level="error", excluded_rules=("prefer-timestamp-tz",)),
    )
)
SAID = [{"prefix": "", "message": f"{line}\n", "severity": "info#err"} for line in f"info: {BLOCK}".splitlines()]
SECTION = """\
### Pending migrations

<details>
<summary>3 migrations with the SQL</summary>

`0001_m`

````sql
SELECT '```';
ALTER TABLE orders ADD COLUMN stamp timestamp;
````

`0002_m`

```sql
DROP INDEX @octocat
```

`0003_m`

```sql
SET ROLE other
```

</details>

- 0003\\_m.sql:1 SET ROLE other: tables made after it belong to another role, and the app's role gets no rights on them
"""


def test_pending_migrations_stand_in_the_comment_beside_the_review() -> None:
    preview = recorded("promotion-accepted")
    for said in (SAID + preview["diagnostics"], preview["diagnostics"] + SAID):
        found = shown(preview | {"diagnostics": said})
        assert SECTION in found
        assert found.replace(f"{SECTION}\n", "") == (GOLDEN / "promotion-accepted.md").read_text()
