"""Vercel Authentication: which hosts of a project answer strangers, and the secret that lets automation in."""

import hmac

from aiohttp import web

from localcloud.vercel.models import PLATFORM_DOMAIN, Project
from localcloud.vercel.store import Store

BYPASS = "x-vercel-protection-bypass"


def admitted(request: web.Request, project: Project, host: str, store: Store) -> bool:
    """Whether the edge may pass this request on."""
    protection = project.settings.get("ssoProtection")
    if not protection or not _protected(protection.get("deploymentType"), project, host, store):
        return True
    given = request.headers.get(BYPASS) or request.query.get(BYPASS) or request.cookies.get(BYPASS) or ""
    return any(hmac.compare_digest(given.encode(), secret.encode()) for secret in project.bypass)


def _protected(kind: str | None, project: Project, host: str, store: Store) -> bool:
    domain = store.domains.find(name=host)
    serves_production = domain is not None and domain.project_id == project.id and domain.is_production
    match kind:
        case "all":
            return True
        case "all_except_custom_domains":
            return not serves_production or host.endswith(f".{PLATFORM_DOMAIN}")
        case "preview":
            deployment = store.deployment(host)
            return deployment is None or not deployment.is_production
        case _:
            return not serves_production
