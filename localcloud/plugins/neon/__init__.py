"""The community Neon provider 0.15.0 as the plugin `terraform-provider` 3.136.0 presents it."""

import os

from localcloud.plugins.api import Api, RetryPolicy
from localcloud.plugins.neon.branch import BRANCH, DATABASE, ENDPOINT, ROLE
from localcloud.plugins.neon.functions import FUNCTIONS
from localcloud.plugins.neon.project import PROJECT
from localcloud.plugins.table import Field, Json, Package


def _connect(config: Json) -> Api:
    return Api(
        url=os.environ.get("NEON_API_HOST") or "https://console.neon.tech/api/v2",
        token=config.get("apiKey") or os.environ.get("NEON_API_KEY", ""),
        missing_token="Neon needs an API key: set NEON_API_KEY, or apiKey in the provider's configuration",  # noqa: S106
        retry=RetryPolicy(statuses=(423, 429, 500), pause=1.0, attempts=120, whole=True),
        gone=(404, 422),
        operations=True,
    )


PACKAGE = Package(
    name="neon",
    version="0.15.0",
    doc="Neon: serverless Postgres with branches.",
    base=("terraform-provider", "3.136.0"),
    parameter="eyJyZW1vdGUiOnsidXJsIjoicmVnaXN0cnkub3BlbnRvZnUub3JnL2tpc2xlcmRtL25lb24iLCJ2ZXJzaW9uIjoiMC4xNS4wIn19",
    config=(Field(name="apiKey", doc="The API key. NEON_API_KEY serves as well."),),
    resources=(PROJECT, BRANCH, ENDPOINT, ROLE, DATABASE),
    functions=FUNCTIONS,
    connect=_connect,
)
