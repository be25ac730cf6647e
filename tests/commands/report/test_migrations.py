"""Pending migrations in the comment: their SQL, folded, and what is worth knowing of them."""

from dataclasses import replace

from environments.ids import BranchKey
from environments.review.file import Review
from environments.review.model import MigrationReview, PendingMigration
from tests.commands.report.test_comment import GOLDEN, recorded, reviewed, shown

REVIEW = MigrationReview(
    branch=BranchKey("prod-v1"),
    title="pending: 3 migrations, in one transaction (drizzle-kit with a journal)",
    pending=(
        PendingMigration(tag="0001_m", sql="SELECT '```';\n\nALTER TABLE orders ADD COLUMN stamp timestamp;"),
        PendingMigration(tag="0002_m", sql="DROP INDEX @octocat"),
        PendingMigration(tag="0003_m", sql="SET ROLE other"),
    ),
    warnings=("0003_m.sql:1 SET ROLE other: what is made after it belongs to another role", "- and another"),
)
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

- 0003\\_m.sql:1 SET ROLE other: what is made after it belongs to another role
- \\- and another
"""


def test_pending_migrations_stand_in_the_comment_beside_the_review() -> None:
    preview, review = recorded("promotion-accepted"), reviewed("promotion-accepted")
    for entries in ((REVIEW, *review.entries), (*review.entries, REVIEW)):
        found = shown(preview, replace(review, entries=entries))
        assert SECTION in found
        assert found.replace(f"{SECTION}\n", "") == (GOLDEN / "promotion-accepted.md").read_text()


def test_a_migration_that_the_review_cuts_says_how_much_is_left_out() -> None:
    long = PendingMigration(tag="0001_m", file="0001_m/migration.sql", sql="SELECT 1;…", more_lines=12)
    found = shown(recorded("migration"), Review(stack=None, entries=(replace(REVIEW, pending=(long,)),)))
    assert "SELECT 1;…\n```\n\n… and 12 more lines in `0001_m/migration.sql`\n\n</details>" in found
