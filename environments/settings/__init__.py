"""What a stack file may say: the models, the forms that Pulumi gives values, and errors that name the remedy."""

from environments.settings.branch import BranchSettings, ComputeSettings, Source
from environments.settings.errors import Problem, SettingsError
from environments.settings.model import (
    AcceptSettings,
    AppSettings,
    DatabaseSettings,
    HealthSettings,
    ProjectSettings,
    SafetySettings,
    Settings,
)
from environments.settings.read import left_over, read_settings
from environments.settings.strategy import CloneAndPromote, PointerSwap, StandardMigration, Strategy

__all__ = [
    "AcceptSettings",
    "AppSettings",
    "BranchSettings",
    "CloneAndPromote",
    "ComputeSettings",
    "DatabaseSettings",
    "HealthSettings",
    "PointerSwap",
    "Problem",
    "ProjectSettings",
    "SafetySettings",
    "Settings",
    "SettingsError",
    "Source",
    "StandardMigration",
    "Strategy",
    "left_over",
    "read_settings",
]
