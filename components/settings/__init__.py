"""What a stack file may say: the models, the forms that Pulumi gives values, and errors that name the remedy."""

from components.settings.errors import Problem, SettingsError
from components.settings.model import (
    AcceptSettings,
    AppSettings,
    BranchSettings,
    ComputeSettings,
    DatabaseSettings,
    HealthSettings,
    ProjectSettings,
    SafetySettings,
    Settings,
    Source,
)
from components.settings.read import read_settings
from components.settings.strategy import CloneAndPromote, Strategy

__all__ = [
    "AcceptSettings",
    "AppSettings",
    "BranchSettings",
    "CloneAndPromote",
    "ComputeSettings",
    "DatabaseSettings",
    "HealthSettings",
    "Problem",
    "ProjectSettings",
    "SafetySettings",
    "Settings",
    "SettingsError",
    "Source",
    "Strategy",
    "read_settings",
]
