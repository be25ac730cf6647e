"""The command `environments`: all that a user types, in one place.

Each subcommand loads what it does only when it runs: `--help`, `--version` and a wrong usage answer at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from environments.errors import EnvironmentsError
from environments.version import VERSION

if TYPE_CHECKING:
    from environments.clients.pulumi import Stack


class Failure(click.ClickException):
    """An error of this library, as a user reads it; the exit code is 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it to standard error."""
        click.echo(f"error: {self.format_message()}", file=file, err=file is None)


class Commands(click.Group):
    """The subcommands: the one place that catches this library's errors. Any other error is a fault of its own."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand."""
        try:
            return super().invoke(ctx)
        except EnvironmentsError as error:
            raise Failure(str(error)) from None


@click.group(
    "environments", cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120}
)
@click.version_option(VERSION, message="%(prog)s %(version)s")
def main() -> None:
    """Neon branches and Vercel deployments as environments of one Pulumi program.

    Run it in the folder that holds Pulumi.yaml, or below. Exit codes: 0 success, 1 refused or failed, 2 wrong usage.
    """


@main.command()
def check() -> None:
    """Check the stack files, without any credential."""
    from environments.clients.pulumi import program_folder
    from environments.commands.check import check

    check(program_folder(Path.cwd()))


@main.command()
@click.option("-s", "--stack", required=True, help="The stack that is to own what exists.")
def adopt(stack: str) -> None:
    """Take over branches, computes and variables that exist.

    They come into the stack's state. Nothing in the clouds changes. Then run `pulumi preview`.
    """
    from environments.commands.adopt.command import adopt

    adopt(_stack(stack))


@main.command()
@click.option("-s", "--stack", required=True, help="The stack whose `pulumi up` was cut short.")
@click.option("--unlock", is_flag=True, help="Remove the stack's lock: the engine that holds it is gone for certain.")
def recover(stack: str, *, unlock: bool) -> None:
    """Repair a stack's state after a `pulumi up` was cut short.

    The state then says what really exists. Nothing in the clouds changes. Then run `pulumi up`.
    """
    from environments.commands.recover.command import recover

    recover(_stack(stack), unlock=unlock)


@main.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--review",
    envvar="ENVIRONMENTS_REVIEW",
    show_envvar=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The review that the same run of pulumi preview wrote.",
)
@click.option("-s", "--stack", help="The stack's name, for a preview that doesn't name it.")
def report(file: Path | None, review: Path | None, stack: str | None) -> None:
    """Print a preview as the comment of a pull request.

    Run the preview with ENVIRONMENTS_REVIEW=review.jsonl, which names the file that the program writes its review to.
    Give that file as --review, and what `pulumi preview --json` printed as FILE or on standard input.
    """
    from environments.commands.report.command import report

    report(file, review, stack)


@main.command()
@click.option("--write", is_flag=True, help="Write it to stack.schema.json beside Pulumi.yaml.")
def schema(*, write: bool) -> None:
    """Print the JSON Schema of stack files, for editors."""
    from environments.clients.pulumi import program_folder
    from environments.settings.schema import FILE_NAME, rendered

    if write:
        (program_folder(Path.cwd()) / FILE_NAME).write_text(rendered(), encoding="utf-8")
    else:
        click.echo(rendered(), nl=False)


@main.command("pull-request")
@click.argument("number", type=click.IntRange(min=1))
@click.argument("git_branch")
@click.option("--expires", help="After how long Neon deletes the branch: 1m to 30d. By default 7d.")
@click.option("--schema-only", is_flag=True, help="Copy dev's tables without their rows.")
def pull_request(number: int, git_branch: str, *, expires: str | None, schema_only: bool) -> None:
    """Print the stack file of a pull request's environment.

    NUMBER is the pull request's. The preview deployments of GIT_BRANCH use the environment.
    """
    from environments.settings.pull_request import EXPIRES, stack_file

    click.echo(
        stack_file(number, git_branch, expires=EXPIRES if expires is None else expires, schema_only=schema_only),
        nl=False,
    )


def _stack(name: str) -> Stack:
    from environments.clients.pulumi import Stack, program_folder
    from environments.ids import StackName

    return Stack(program_folder(Path.cwd()), StackName(name))
