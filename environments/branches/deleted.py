"""Whether an owned branch was deleted behind the stack's back, so that it is never quietly made again.

To a refresh the provider reports a deleted branch as not there, and the engine plans to make it once more: from today's
head of its source, without the rows that were written to it. So a refresh looks here, and `BranchSource`, which comes before
the branch, refuses.

A name alone doesn't tell: a branch that was only renamed is there, and one whose making failed never was. Its id is
noted as soon as a refresh sees it. Before that Neon's list of operations tells: it goes back to before the branch was
made, and names what was made since and isn't there.
"""

from __future__ import annotations

from typing import Any

from environments.clients.neon import Neon
from environments.ids import NeonProject


def newest_operation(project: NeonProject) -> str:
    """Return the id of the last thing that Neon did in `project`; what follows it is newer than this moment."""
    with Neon() as neon:
        return next((str(found.id) for found in neon.operations(project)), "")


def looked(props: dict[str, Any]) -> dict[str, Any]:
    """Return what a refresh notes of a branch: its id, once it is there, and whether it was deleted since."""
    with Neon() as neon:
        names = {found.id: found.name for found in neon.branches(props["project"])}
        made = props.get("made") or next((id_ for id_, name in names.items() if name == props["wanted"]["name"]), "")
        if made:
            return {"made": made, "gone": made not in names}
        settled = str(props.get("settled") or "")
        return {"made": "", "gone": settled != "" and _made_since(neon, props["project"], settled, set(names))}


def gone_refusal(olds: dict[str, Any], news: dict[str, Any]) -> str:
    """Return why the branch of `news`, which the last refresh did not find any more, isn't made again; or nothing."""
    if not olds.get("gone") or olds["kind"] in ("temporary", "empty"):
        return ""
    name, at = news["name"], f" as of {olds['at']}" if olds["at"] else ""
    adopted = olds["kind"] == "adopted"
    again = "nothing" if adopted else f"another copy of {olds['branch']} (stack {olds['stack']}){at}"
    lost = f"branch {name} is no longer in Neon, though this stack did not delete it"
    if not news["serves"]:
        return (
            f"{lost}. Made again it would hold {again}, without the rows that were written to it: take its line out of "
            f"environments:branches, and for another branch add one of another name. Then: pulumi up --refresh"
        )
    return (
        f"{lost}, and it is the one that serves. It isn't made again, to hold {again}: the rows that users wrote to it "
        f"would be missing. Take its line out of environments:branches and serve another branch: one that is "
        f"there, such as the one that served before, or one that you add, from the branch and as of the moment (at) "
        f'that hold most of those rows. Accept what is lost: pulumi config set accept \'{{"branch": "{name}", "rows": '
        f'"any"}}\'. Then: pulumi up --refresh'
    )


def _made_since(neon: Neon, project: NeonProject, operation: str, there: set[str]) -> bool:
    """Tell whether a branch was made after `operation` and is not `there`."""
    for found in neon.operations(project):
        if found.id == operation:
            return False
        if found.action == "create_branch" and found.branch_id not in there:
            return True
    return False
