"""The plugin `vercel` 5.21.1, as far as this stack uses it."""

import os

from localcloud.plugins.api import Api, RetryPolicy
from localcloud.plugins.table import Field, Json, Package
from localcloud.plugins.vercel.functions import FUNCTIONS
from localcloud.plugins.vercel.project import PROJECT
from localcloud.plugins.vercel.variable import VARIABLE


def _connect(config: Json) -> Api:
    return Api(
        url=os.environ.get("VERCEL_API_URL") or "https://api.vercel.com",
        token=config.get("apiToken") or os.environ.get("VERCEL_API_TOKEN", ""),
        missing_token="Vercel needs an API token: set VERCEL_API_TOKEN, or apiToken in the provider's configuration",  # noqa: S106
        retry=RetryPolicy(statuses=(429,), pause=1.0, attempts=3),
        gone=(404,),
        query={"teamId": config["team"]} if config.get("team") else {},
    )


PACKAGE = Package(
    name="vercel",
    version="5.21.1",
    doc="Vercel: deployments of a project.",
    config=(
        Field(name="apiToken", secret=True, doc="The API token. VERCEL_API_TOKEN serves as well."),
        Field(name="team", doc="The team whose resources these are, by id or slug."),
    ),
    resources=(PROJECT, VARIABLE),
    functions=FUNCTIONS,
    connect=_connect,
)
