"""Adoption: projects that were made by hand, with an app that serves, come under the program; nothing is made again."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from localcloud.cloud import ROOT, Cloud
from localcloud.program import CommandError
from localcloud.workspace import make_workspace
from tests.e2e.conftest import AS_PRODUCTION, FROM_DEV, World
from tests.e2e.existing import Existing
from tests.e2e.visitors import Visitors

pytestmark = pytest.mark.e2e

MAIN = {"adopt": True, "logins": "keep"}
INTEGRATION = {"contentHint": {"type": "integration-store-secret", "storeId": "store_1"}}


class Shop(World):
    """The program, and projects that were there before it."""

    hand: Existing

    def existing(self) -> Any:
        """Return all that may not be made anew: ids of branches and computes, and the variables with their values."""
        computes = {name: self.hand.compute(name)["id"] for name in self.hand.branches}
        found = self.hand.ask("GET", "/branches")["branches"]
        return {branch["name"]: branch["id"] for branch in found}, computes, self.hand.variables()

    def adopt(self, stack: str) -> str:
        return self.environments("adopt", "-s", stack)

    def fails(self, *command: str) -> str:
        """Run a command that must fail, and return what it said in one line."""
        with pytest.raises(CommandError) as error:
            self.run(*command)
        return " ".join(str(error.value).split())

    @contextmanager
    def visited(self) -> Iterator[None]:
        """Ask the app all the time, which must always answer."""
        visitors = Visitors(self.cloud.vercel_edge_url, self.hand.domain)
        with visitors.visiting():
            yield
        assert set(visitors.answers) == {"200"}, visitors.answers
        assert visitors.answers["200"] > 50


@pytest.fixture(scope="module")
def shop(emptied: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """An app that serves from `main` as its owner, a branch `dev`, a role and variables: all made by hand."""
    folder = tmp_path_factory.mktemp("adoption")
    (backend := folder / "backend").mkdir()
    hand = Existing.made(emptied, "adoption")
    shop = Shop(make_workspace(ROOT, folder / "program"), emptied, backend)
    object.__setattr__(shop, "hand", hand)
    for script in ("migrate", "seed"):
        shop.run("npm", "run", "--silent", script, env={"DATABASE_URL": hand.url("main")}, cwd=str(ROOT / "app"))
    hand.branch("dev", "main")
    hand.ask("POST", f"/branches/{hand.branches['main']}/roles", role={"name": "reporting"})
    hand.variable("DATABASE_URL", hand.url("main"), "production")
    hand.variable("DATABASE_URL_UNPOOLED", hand.url("main"), "production", type="sensitive")
    hand.variable("DATABASE_URL", hand.url("dev"), "preview", "development")
    hand.variable("THEME", "dark", "production")
    hand.deploy()
    projects = {"neon": hand.neon, "vercel": hand.vercel}
    shop.edit("dev", project=projects, branches={"dev": {"adopt": True}})
    shop.edit("prod", project=projects, branches={"main": MAIN}, serve="main", compute=as_it_is(hand))
    for stack in ("dev", "prod"):
        shop.select(stack)
    return shop


def as_it_is(hand: Existing) -> dict[str, Any]:
    """Return the size that main's compute has: another one restarts it, which a visitor may notice."""
    compute = hand.compute("main")
    return {"min_cu": compute["autoscaling_limit_min_cu"], "max_cu": compute["autoscaling_limit_max_cu"]}


def test_projects_that_were_made_by_hand_come_under_the_program_and_go_on_like_any_other(shop: Shop) -> None:
    without_the_command_nothing_is_made_twice_and_the_preview_names_it(shop)
    a_branch_that_is_not_there_can_not_be_adopted(shop)
    variables_that_are_not_the_environments_alone_are_refused_together(shop)
    the_command_takes_over_what_is_there_and_changes_nothing_in_the_clouds(shop)
    an_app_that_does_not_name_its_database_is_replaced_only_by_name(shop)
    a_login_that_the_app_still_needs_is_not_shut_before_the_domain_has_moved(shop)
    production_comes_under_the_program_while_the_app_answers(shop)
    the_compute_gets_the_environments_size_in_place(shop)
    the_logins_that_were_there_are_shut_by_an_edit(shop)
    dev_is_adopted_in_the_same_way_and_stays_protected_if_its_line_says_so(shop)
    what_was_adopted_is_promoted_to_and_rolled_back_to(shop)
    an_encrypted_variable_becomes_a_sensitive_one_when_it_is_deleted_by_hand(shop)


def without_the_command_nothing_is_made_twice_and_the_preview_names_it(shop: Shop) -> None:
    before = shop.existing()
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        said = shop.refused(*command, "-s", "prod")
        assert "the stack file adopts branch main, but this stack's state doesn't hold it yet" in said
        assert "environments adopt -s prod" in said
        assert "Traceback" not in said
    assert shop.existing() == before


def a_branch_that_is_not_there_can_not_be_adopted(shop: Shop) -> None:
    shop.edit("prod", branches={"main": MAIN, "nowhere": {"adopt": True}})
    assert "the project has none called nowhere" in shop.fails(
        sys.executable, "-m", "environments", "adopt", "-s", "prod"
    )
    shop.edit("prod", branches={"main": MAIN})


def variables_that_are_not_the_environments_alone_are_refused_together(shop: Shop) -> None:
    hand, before = shop.hand, len(shop.state("prod")["deployment"]["resources"])
    (unpooled,) = (id_ for id_, found in hand.variables().items() if found["key"] == "DATABASE_URL_UNPOOLED")
    (url,) = (
        id_
        for id_, found in hand.variables().items()
        if found["key"] == "DATABASE_URL" and found["target"] == ["production"]
    )
    for id_ in (unpooled, url):
        hand.forget(id_)
    managed = hand.variable("DATABASE_URL", hand.url("main"), "production", **INTEGRATION)
    wide = hand.variable("DATABASE_URL_UNPOOLED", hand.url("main"), "production", "preview")
    said = shop.fails(sys.executable, "-m", "environments", "adopt", "-s", "prod")
    assert f"DATABASE_URL ({managed}) belongs to an integration, and only the integration can change it" in said
    assert f"DATABASE_URL_UNPOOLED exists as {wide} for production, preview, but this stack writes it for" in said
    assert "postgresql://" not in said
    assert len(shop.state("prod")["deployment"]["resources"]) == before, "nothing was taken over"
    for id_ in (managed, wide):
        hand.forget(id_)
    hand.variable("DATABASE_URL", hand.url("main"), "production")
    hand.variable("DATABASE_URL_UNPOOLED", hand.url("main"), "production", type="sensitive")


def the_command_takes_over_what_is_there_and_changes_nothing_in_the_clouds(shop: Shop) -> None:
    before = shop.existing()
    said = shop.adopt("prod")
    assert said.count("taken over as") == 4
    assert said.rstrip().endswith("Now: pulumi preview -s prod")
    assert shop.existing() == before
    password = psycopg.conninfo.conninfo_to_dict(shop.hand.url("main"))["password"]
    assert str(password) not in json.dumps(shop.state("prod")), "no password lies in the state"
    assert "Nothing to take over" in shop.adopt("prod")
    assert shop.existing() == before


def an_app_that_does_not_name_its_database_is_replaced_only_by_name(shop: Shop) -> None:
    shop.edit("prod", app={"path": "app", "health": {"path": "/orders"}})
    preview = ("pulumi", "preview", "-s", "prod", "--non-interactive", "--color=never")
    said = shop.fails(*preview)
    assert f"which serves {shop.hand.domain} now, doesn't tell which database it uses. If that is main, nothing" in said
    accept = re.search(r"pulumi config set accept '(\{[^']+\})'", said)
    assert accept
    shop.edit("prod", accept=json.loads(accept[1]))
    assert "promote dpl_" in shop.preview("prod")
    shop.edit("prod", accept=None, app={"path": "app"})


def a_login_that_the_app_still_needs_is_not_shut_before_the_domain_has_moved(shop: Shop) -> None:
    shop.edit("prod", branches={"main": {"adopt": True}})
    said = shop.refused("preview", "-s", "prod")
    assert "would lose its login before the domain has moved: write logins: keep at environments:branches.main" in said
    shop.edit("prod", branches={"main": MAIN})


def production_comes_under_the_program_while_the_app_answers(shop: Shop) -> None:
    branches, computes, variables = shop.existing()
    preview = shop.preview("prod")
    assert "main was there before this environment, and keeps the rows that it holds" in " ".join(preview.split())
    assert re.search(r"(neon|vercel):index:\w+ +\S+ +(create|replace|delete)", preview) is None
    rows, owner = count(shop), shop.hand.url("main")
    with shop.visited():
        shop.up("prod")
    after = shop.existing()
    assert after[:2] == (branches, computes)
    assert after[2].keys() == variables.keys()
    assert count(shop) == rows
    assert shop.serving()["branch"] == "main"
    assert shop.serving()["deployment"] == shop.outputs("prod")["served"]["deployment"], "it is the program's own"
    with psycopg.connect(owner) as connection:
        assert connection.execute("SELECT 1").fetchone(), "what ran before keeps its login"
    shop.up("prod", "--expect-no-changes")


def the_compute_gets_the_environments_size_in_place(shop: Shop) -> None:
    before = shop.hand.compute("main")["id"]
    shop.edit("prod", compute=AS_PRODUCTION)
    shop.up("prod")
    compute = shop.hand.compute("main")
    assert (compute["id"], compute["autoscaling_limit_min_cu"], compute["autoscaling_limit_max_cu"]) == (before, 1, 4)
    assert shop.serving()["ok"]


def the_logins_that_were_there_are_shut_by_an_edit(shop: Shop) -> None:
    owner = shop.hand.url("main")
    reporting = shop.hand.url("main", "reporting")
    shop.edit("prod", branches={"main": {"adopt": True}})
    with shop.visited():
        shop.up("prod")
    for url in (owner, reporting):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url).close()
    assert shop.post("/orders", shop.hand.domain) == 201
    shop.up("prod", "--expect-no-changes")


def dev_is_adopted_in_the_same_way_and_stays_protected_if_its_line_says_so(shop: Shop) -> None:
    hand = shop.hand
    hand.ask("PATCH", f"/branches/{hand.branches['dev']}", branch={"protected": True})
    (url,) = (id_ for id_, found in hand.variables().items() if "development" in found["target"])
    hand.forget(url)
    said = shop.adopt("dev")
    assert said.count("taken over as") == 2
    assert "To keep it, write protected: true at environments:branches.dev" in said

    hand.variable("DATABASE_URL", hand.url("dev"), "preview", "development")
    said = shop.refused("preview", "-s", "dev")
    assert "the Vercel project has DATABASE_URL already, for preview, development" in said
    branches, computes, variables = shop.existing()
    assert shop.adopt("dev").count("taken over as") == 1, "what came in the meantime"

    shop.edit("dev", branches={"dev": {"adopt": True, "protected": True}})
    shop.up("dev")
    after = shop.existing()
    assert after[:2] == (branches, computes)
    assert after[2].keys() > variables.keys(), "DATABASE_URL_UNPOOLED was not there for development"
    assert hand.ask("GET", f"/branches/{hand.branches['dev']}")["branch"]["protected"]
    shop.up("dev", "--expect-no-changes")


def what_was_adopted_is_promoted_to_and_rolled_back_to(shop: Shop) -> None:
    shop.edit("prod", branches={"main": {"adopt": True}, "prod-v2": FROM_DEV}, serve="prod-v2")
    said = shop.refused("preview", "-s", "prod")
    rows = re.search(r'"branch": "main", "rows": (\d+)', said)
    assert rows, "which rows of an adopted branch are users' isn't known, so all count"
    shop.edit("prod", accept={"branch": "main", "rows": int(rows[1])})
    with shop.visited():
        shop.up("prod")
        assert shop.serving()["branch"] == "prod-v2"
        shop.edit("prod", serve="main")
        shop.up("prod")
    assert shop.serving()["branch"] == "main"
    assert shop.existing()[1]["main"] == shop.hand.compute("main")["id"]
    shop.up("prod", "--expect-no-changes")


def an_encrypted_variable_becomes_a_sensitive_one_when_it_is_deleted_by_hand(shop: Shop) -> None:
    def types() -> dict[str, str]:
        found = shop.hand.variables().values()
        return {variable["key"]: variable["type"] for variable in found if variable["target"] == ["production"]}

    assert types()["DATABASE_URL"] == "encrypted", "as it was made"
    (url,) = (
        id_
        for id_, found in shop.hand.variables().items()
        if found["key"] == "DATABASE_URL" and found["target"] == ["production"]
    )
    shop.hand.forget(url)
    shop.up("prod", "--refresh")
    assert types() == {"DATABASE_URL": "sensitive", "DATABASE_URL_UNPOOLED": "sensitive", "THEME": "encrypted"}
    shop.up("prod", "--expect-no-changes")


def count(shop: Shop) -> int:
    with psycopg.connect(shop.hand.url("main")) as connection:
        row = connection.execute("SELECT count(*) FROM orders").fetchone()
    return int(row[0]) if row else -1
