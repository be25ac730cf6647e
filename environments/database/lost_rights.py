"""What one login can't see or do that another one could: which of it breaks an app, and what gives it back.

Two logins on two branches are compared by the names of the objects that both have. An object that only the new branch
has is compared with what the tables' owner may do: the app may come to need it. The same database before and after a
migration is compared by the objects' ids, so that a table which moved to another schema is still the same one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from environments.database.rights import ObjectRights, Rights
    from environments.ids import RoleName

_BREAKS = {
    "schema": ("USAGE",),
    "table": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "sequence": ("USAGE", "SELECT"),
    "function": ("EXECUTE",),
    "membership": ("SET ROLE",),
}
"""What an app needs. The rest (TRUNCATE, CREATE, the UPDATE of a sequence) is told."""
_MOST = 10
"""Losses that a refusal lists."""

SETTING = "safety.fewer_rights"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A right, or the sight of rows, that is gone; `text` is a clause, and `remedy` one that gives it back."""

    name: str
    schema: str
    text: str
    remedy: str

    def is_in(self, accepted: Collection[str]) -> bool:
        """Tell whether the stack file lists the object, or the schema that it is in."""
        return self.name in accepted or bool(self.schema and self.schema in accepted)

    def __str__(self) -> str:
        """Say it with its remedy."""
        return f"{self.text}; {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What breaks an app, and what is only worth knowing."""

    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()

    def refused(self, accepted: Collection[str]) -> tuple[Loss, ...]:
        """Return the losses that the stack file doesn't list."""
        return tuple(loss for loss in self.losses if not loss.is_in(accepted))

    def told(self, accepted: Collection[str]) -> tuple[str, ...]:
        """Return what a reader should know although it refuses nothing."""
        allowed = (f"{loss.text} ({SETTING} allows it)" for loss in self.losses if loss.is_in(accepted))
        return (*allowed, *self.notes)


def listed(losses: Collection[Loss]) -> str:
    """Return the losses as sentences, and the setting that accepts them."""
    shown = list(losses)[:_MOST]
    more = f" … and {len(losses) - _MOST} more." if len(losses) > _MOST else ""
    names = ", ".join(dict.fromkeys(_quoted(loss.name) for loss in losses))
    return f"{' '.join(f'{loss}.' for loss in shown)}{more} If the app can do without: {SETTING}: [{names}]"


def compare(before: Rights | None, after: Rights, owner: Rights, *, was: str = "", now: str = "") -> Comparison:
    """Return what the role of `after` lost against that of `before`, on the branches called `was` and `now`.

    Where `before` says nothing of an object, or is None, the tables' `owner` on the same branch stands for it.
    """
    compared = _Compared(after.role, now)
    known = {(each.kind, each.name): each for each in before.objects} if before else {}
    other = f"{before.role} on {was}" if before else ""
    owners = {(each.kind, each.name): each for each in owner.objects}
    for each in after.objects:
        if found := known.get((each.kind, each.name)):
            compared.add(found, each, other)
        elif (found := owners.get((each.kind, each.name))) and _may_be_needed(each, after):
            compared.add(found, each, f"the owner {owner.role}", owners=True)
    mine = {each.name for each in after.objects if each.kind == "membership"}
    gone = [each for each in known.values() if each.kind == "membership" and each.name not in mine]
    for membership in gone:
        compared.add_membership(membership.name, other)
    return compared.result()


def compare_migrated(before: Rights, after: Rights, owner: Rights) -> Comparison:
    """Return what a role lost by migrations in one database; `owner` is what the tables' owner may do after them."""
    compared = _Compared(after.role, "")
    known = {(each.kind, each.oid): each for each in before.objects}
    owners = {(each.kind, each.oid): each for each in owner.objects}
    for each in after.objects:
        if found := known.get((each.kind, each.oid)):
            compared.add(found, each, "")
        elif each.kind in ("table", "sequence") and (found := owners.get((each.kind, each.oid))):
            compared.tell_of_new(found, each)
    left = {(each.kind, each.oid) for each in after.objects}
    for membership in known.values():
        if membership.kind == "membership" and (membership.kind, membership.oid) not in left:
            compared.add_membership(membership.name, "")
    return compared.result()


def _may_be_needed(found: ObjectRights, after: Rights) -> bool:
    """Tell whether an app may need what the owner may do: not its functions and roles, nor a schema without tables."""
    if found.kind == "schema":
        return any(each.schema == found.name and each.kind in ("table", "sequence") for each in after.objects)
    return found.kind in ("table", "sequence")


@dataclass
class _Compared:
    """What comes of comparing one object after the other, for `role` on the branch called `branch`."""

    role: RoleName
    branch: str
    losses: list[Loss] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Schemas that can't be reached any more: of what is in them nothing is said again."""

    def result(self) -> Comparison:
        return Comparison(losses=tuple(self.losses), notes=tuple(self.notes))

    def add(self, was: ObjectRights, now: ObjectRights, other: str, *, owners: bool = False) -> None:
        """Compare one object; `other` is who could, empty for the same role before; `owners` that it is the owner."""
        moved = was.schema != now.schema
        if now.kind != "schema" and now.schema in self.closed and not moved:
            return
        gone = [right for right in _in_order(was.may) if not _covers(now.may, right)]
        breaks = [right for right in gone if right.partition(" (")[0] in _BREAKS[now.kind]]
        if breaks:
            why = ": row-level security is on and has no policy for it" if set(breaks) <= now.denied else ""
            self._lose(
                now,
                f"can't {_verbs(breaks)} {_named(now, was)}{_which(other)}{why}",
                _remedy(now, breaks, self.role),
                moved=moved,
            )
            if now.kind == "schema":
                self.closed.add(now.schema)
        elif now.rows == "none" and (was.rows == "seen" or not was.secured):
            why = now.failed or "row-level security hides them"
            sees = f"{other} sees them" if other else "it sees them now"
            rows = f"sees none of the rows of {_named(now, was)} ({why}); {sees}"
            self._lose(now, rows, _policy(now, self.role), moved=moved)
        elif now.rows == "none" and was.rows in ("empty", "unknown"):
            self.notes.append(
                f"{self._role} sees none of the rows of {_named(now, was)}; whether it saw any before is not known"
            )
        elif now.secured and not was.secured and not owners:
            seen = "and whether it sees any wasn't found out" if now.rows == "unknown" else "and it sees some"
            seen = "which is empty" if now.rows == "empty" else seen
            self.notes.append(
                f"row-level security decides from now on which rows of {now.name} {self._role} sees, {seen}"
            )
        if (rest := [right for right in gone if right not in breaks]) and not owners:
            self.notes.append(f"{self._role} can't {_verbs(rest)} {now.name}{_which(other)}")

    def add_membership(self, name: str, other: str) -> None:
        """Note that the role is no member of another one any more."""
        text = f"{self._role} can't SET ROLE {name}{_which(other)}"
        remedy = f"as the role that administers {name}, run GRANT {name} TO {self.role}"
        self.losses.append(Loss(name=name, schema="", text=text, remedy=remedy))

    def tell_of_new(self, owner: ObjectRights, made: ObjectRights) -> None:
        """Note that a migration makes something that the role can't use and the owner can."""
        gone = [right for right in _in_order(owner.may) if not _covers(made.may, right)]
        if breaks := [right for right in gone if right in _BREAKS[made.kind]]:
            self.notes.append(
                f"{made.name} is new, and {self._role} can't {_verbs(breaks)} there: {_remedy(made, breaks, self.role)}"
            )

    @property
    def _role(self) -> str:
        return f"{self.role} on {self.branch}" if self.branch else str(self.role)

    def _lose(self, now: ObjectRights, what: str, remedy: str, *, moved: bool) -> None:
        # To list the schema that something moved to does not say that it may be missing where it was.
        schema = "" if moved else now.schema
        self.losses.append(Loss(name=now.name, schema=schema, text=f"{self._role} {what}", remedy=remedy))


def _which(other: str) -> str:
    return f", which {other} can" if other else ", which it can now"


def _named(found: ObjectRights, was: ObjectRights) -> str:
    kind = "schema " if found.kind == "schema" else "sequence " if found.kind == "sequence" else ""
    return f"{kind}{found.name}{f' ({was.name} until now)' if was.name != found.name else ''}"


def _verbs(rights: Collection[str]) -> str:
    words = {"USAGE": "use", "EXECUTE": "EXECUTE", "CREATE": "CREATE in"}
    return ", ".join(words.get(right, right) for right in rights)


def _remedy(found: ObjectRights, rights: Collection[str], role: RoleName) -> str:
    """Return what gives `rights` back: a GRANT for what was never granted, a policy for what none allows."""
    on = {"schema": "SCHEMA ", "sequence": "SEQUENCE ", "function": "FUNCTION "}.get(found.kind, "")
    grants, steps = [right for right in rights if right not in found.denied], []
    if not found.reachable and found.kind != "schema":
        steps.append(f"as the owner of schema {found.schema}, run GRANT USAGE ON SCHEMA {found.schema} TO {role}")
    if grants:
        steps.append(f"as its owner {found.owner}, run GRANT {', '.join(grants)} ON {on}{found.name} TO {role}")
    if len(grants) < len(rights):
        steps.append(_policy(found, role))
    return "; ".join(steps)


def _policy(found: ObjectRights, role: RoleName) -> str:
    return (
        f"as its owner {found.owner}, make a policy for the rows that it may see and write (for all of them: CREATE "
        f"POLICY app_rows ON {found.name} TO {role} USING (true)), or ALTER TABLE {found.name} DISABLE ROW LEVEL "
        "SECURITY"
    )


def _covers(may: frozenset[str], right: str) -> bool:
    return right in may or right.partition(" (")[0] in may


def _in_order(rights: frozenset[str]) -> Iterator[str]:
    """Return rights as people list them: reading first."""
    order = ["USAGE", "SELECT", "INSERT", "UPDATE", "DELETE"]
    yield from sorted(rights, key=lambda right: (_place(order, right.partition(" (")[0]), right))


def _place(order: list[str], right: str) -> int:
    return order.index(right) if right in order else len(order)


def _quoted(name: str) -> str:
    """Return a name as a list in YAML takes it."""
    return f"'{name}'" if any(character in name for character in "\"',(){}[]: ") else name
