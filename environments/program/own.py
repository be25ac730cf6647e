"""Our own resources as a Pulumi program makes them: each takes the `Inputs` of its module in `environments.resources`.

Where an input is another resource's output, `later` lets it stand for the value that it will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, overload

import pulumi

from environments.cutover.served import ServedBranch
from environments.database.login import KeptLogin
from environments.ids import BranchId, DeploymentId, EndpointId, Fingerprint, RoleName, Transaction
from environments.props import encode, fields_of
from environments.resources import (
    app_login,
    branch_source,
    cutover,
    external_login,
    inventory,
    migration,
    ready,
    temporary_branch,
    transfer,
    variable_drift,
)
from environments.resources.deployment import Inputs as DeploymentInputs
from environments.resources.deployment import Outputs as DeploymentOutputs

T = TypeVar("T")


@overload
def later(value: pulumi.Output[T]) -> T: ...
@overload
def later(value: T) -> T: ...
def later(value: Any) -> Any:
    """Let an output stand where its value is wanted: the engine puts the value in before our code sees it."""
    return value


def later_id(value: pulumi.Input[str], kind: Callable[[str], T]) -> T:  # noqa: ARG001 - its type is the point
    """Let a provider's output, a mere string to that provider, stand for an id of this `kind`."""
    return cast("T", value)


class Own(pulumi.CustomResource):
    """The base: sends inputs, and has one attribute for each output. A subclass declares those that are used."""

    def __init__(
        self, name: str, inputs: object, outputs: type[Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Register the resource under the type that bears the name of its class."""
        props = encode(inputs, secret=pulumi.Output.secret)
        results = fields_of(outputs)
        super().__init__(
            f"environments:index:{type(self).__name__}", name, props | {field.wire: None for field in results}, opts
        )
        for field in results:
            setattr(self, field.name, getattr(self, field.wire))


class AppLogin(Own):
    """The app's own login on one branch of the environment."""

    pooled_url: pulumi.Output[str]
    direct_url: pulumi.Output[str]
    fingerprint: pulumi.Output[Fingerprint]
    baseline: pulumi.Output[Transaction]
    shut_out: pulumi.Output[tuple[RoleName, ...]]

    def __init__(self, name: str, inputs: app_login.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the login that `inputs` name."""
        super().__init__(name, inputs, app_login.Outputs, opts)


class BranchSource(Own):
    """The settled source of one branch."""

    fork: pulumi.Output[Transaction | None]

    def __init__(self, name: str, inputs: branch_source.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Settle where the branch that `inputs` name comes from."""
        super().__init__(name, inputs, branch_source.Outputs, opts)


class Cutover(Own):
    """The environment's pointer: which branch it serves, by which deployment, since when."""

    served: pulumi.Output[dict[str, str]]
    domain: pulumi.Output[str]

    def __init__(self, name: str, inputs: cutover.Pointer, opts: pulumi.ResourceOptions | None = None) -> None:
        """Point as `inputs` say; without a deployment this target's deployments come from pushes."""
        super().__init__(name, inputs, cutover.Outputs, opts)


class Deployment(Own):
    """The deployment that the served branch's domain is to lead to."""

    deployment: pulumi.Output[DeploymentId]
    url: pulumi.Output[str]

    def __init__(self, name: str, inputs: DeploymentInputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Deploy the app as `inputs` say."""
        super().__init__(name, inputs, DeploymentOutputs, opts)


class ExternalLogin(Own):
    """The app's own login on a branch of another stack."""

    branch: pulumi.Output[BranchId]
    endpoint: pulumi.Output[EndpointId]
    pooled_url: pulumi.Output[str]
    direct_url: pulumi.Output[str]
    fingerprint: pulumi.Output[Fingerprint]
    baseline: pulumi.Output[Transaction]
    visited: pulumi.Output[Mapping[BranchId, ServedBranch]]
    kept: pulumi.Output[Mapping[BranchId, KeptLogin]]

    def __init__(self, name: str, inputs: external_login.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the login that `inputs` name, if the pointer leads to another stack's branch."""
        super().__init__(name, inputs, external_login.Outputs, opts)


class Inventory(Own):
    """What an environment knew of itself at its last update."""

    def __init__(self, name: str, inputs: inventory.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Note what `inputs` say for the next update."""
        super().__init__(name, inputs, inventory.Outputs, opts)


class Migration(Own):
    """The migrations of the served branch: which are pending, and the way back from the last run."""

    pending: pulumi.Output[list[str]]
    restore_point: pulumi.Output[migration.RestorePoint | None]
    way_back: pulumi.Output[str]

    def __init__(self, name: str, inputs: migration.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Bring the branch that `inputs` name to what their migrations say."""
        super().__init__(name, inputs, migration.Outputs, opts)


class Ready(Own):
    """Proof that the app's own URLs open the branch that is to serve."""

    def __init__(self, name: str, inputs: ready.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Prove the URLs that `inputs` hold."""
        super().__init__(name, inputs, ready.Outputs, opts)


class TemporaryBranch(Own):
    """A branch with an end. `expires_at` is when, in RFC 3339; Neon deletes it then or a little later."""

    expires_at: pulumi.Output[str]

    def __init__(self, name: str, inputs: temporary_branch.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Make the branch that `inputs` describe."""
        super().__init__(name, inputs, temporary_branch.Outputs, opts)


class Transfer(Own):
    """A branch filled by dump and restore; `seconds` is how long that took, 0 if it isn't known."""

    seconds: pulumi.Output[float]

    def __init__(self, name: str, inputs: transfer.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Fill the branch that `inputs` name."""
        super().__init__(name, inputs, transfer.Outputs, opts)


class VariableDrift(Own):
    """Whether somebody else has written an environment's sensitive variables."""

    def __init__(self, name: str, inputs: variable_drift.Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Watch the variables that `inputs` name."""
        super().__init__(name, inputs, variable_drift.Outputs, opts)
