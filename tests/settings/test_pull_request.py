"""The stack file of a pull request, made of a number and of whatever somebody called a git branch."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from environments.settings import SettingsError, schema
from environments.settings.pull_request import stack_file

HOSTILE = [
    "feature/$(touch${IFS}obeyed)",
    "x`id`",
    "a'b",
    'a"b',
    "a;b&&c|d",
    "${{secrets.KEY}}",
    "1e3",
    "true",
    "{a}",
    "#7",
    "!x",
    "@x",
    "größer",
    "日本",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_the_name_of_a_git_branch_arrives_as_it_is_and_is_never_anything_else(name: str) -> None:
    written = yaml.safe_load(stack_file(7, name))
    assert written["config"]["environments:git_branch"] == name
    jsonschema.Draft202012Validator(schema.stack_schema()).validate(written)
    assert stack_file(7, name).count("\n") == stack_file(7, "x").count("\n")


@pytest.mark.parametrize("name", ["a b", "a\nb", "-x", "a..b", "a.lock", "", "a\x00b", "a:b", "x\u2028\n  evil: 1"])
def test_what_git_refuses_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"environments:git_branch.*no name of a git branch"):
        stack_file(7, name)


def test_it_is_five_lines_of_settings() -> None:
    branch = {"from": {"stack": "dev", "branch": "dev"}, "expires": "12h", "schema_only": True}
    settings = stack_file(7, "feature/basket", expires="12h", schema_only=True).partition("config:\n")[2]
    assert settings.splitlines() == [
        '  environments:target: "preview"',
        '  environments:git_branch: "feature/basket"',
        f"  environments:branches: {json.dumps({'pr-7': branch})}",
        '  environments:serve: "pr-7"',
    ]
