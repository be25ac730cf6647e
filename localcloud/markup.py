"""The page as HTML, from a survey alone. Every name is escaped: anyone with a token chose it."""

from collections.abc import Mapping
from html import escape

from localcloud.status import size
from localcloud.survey import Branch, Compute, Database, Deployment, Site, Survey, children_by_parent

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #8889; --live: #0a7; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin-top: 2rem; } small, .quiet { color: var(--quiet); }
ul { list-style: none; margin: 0; padding-left: 1.2rem; border-left: 1px solid var(--line); }
section > ul { border: 0; padding: 0; } li { margin: .35rem 0; }
.mark { border: 1px solid var(--line); border-radius: 1em; font-size: .8rem; padding: 0 .5em; }
.active, .READY { color: var(--live); } .ERROR, .disabled { color: #c33; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 500; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .8rem .3rem 0; vertical-align: top; }
"""


def render(now: Survey, endpoints_in_use: Mapping[str, str], *, edge_port: int) -> str:
    """The whole page; `endpoints_in_use` says by deployment id which endpoint its environment names."""
    branches = {branch.id: branch for database in now.databases for branch in database.branches}
    by_endpoint = {compute.id: branch for branch in branches.values() for compute in branch.computes}
    used = {
        deployment.id: branch
        for site in now.sites
        for deployment in site.deployments
        if (branch := by_endpoint.get(endpoints_in_use.get(deployment.id, ""))) is not None
    }
    body = [_database(database, now.sites, used) for database in now.databases]
    body += [_site(site, used, edge_port) for site in now.sites]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
        f"<title>Local cloud</title><style>{STYLE}</style></head><body><h1>Local cloud</h1>"
        f"{''.join(body) or '<p>No Neon and no Vercel project yet.</p>'}</body></html>\n"
    )


def _database(database: Database, sites: tuple[Site, ...], used: Mapping[str, Branch]) -> str:
    children = children_by_parent(database.branches)
    domains: dict[str, list[str]] = {}
    for deployment in (deployment for site in sites for deployment in site.deployments):
        if deployment.id in used:
            domains.setdefault(used[deployment.id].id, []).extend(deployment.domains)

    def below(parent: str | None) -> str:
        items = [
            f'<li id="{escape(branch.id)}">{_branch(branch, domains.get(branch.id, []))}{below(branch.id)}</li>'
            for branch in children.get(parent, [])
        ]
        return f"<ul>{''.join(items)}</ul>" if items else ""

    return (
        f"<section><h2>Neon: {escape(database.name)} <small>{escape(database.id)}</small></h2>{below(None)}</section>"
    )


def _branch(branch: Branch, domains: list[str]) -> str:
    marks = [mark for mark, holds in (("default", branch.default), ("protected", branch.protected)) if holds]
    return " ".join(
        [
            f"<b>{escape(branch.name)}</b> <small>{escape(branch.id)}</small>",
            *(f'<span class="mark">{mark}</span>' for mark in marks),
            *(_compute(compute) for compute in branch.computes),
            *(f"&larr; {escape(domain)}" for domain in sorted(domains)),
        ]
    )


def _compute(compute: Compute) -> str:
    state = escape(compute.state)
    return (
        f'<span class="mark">{escape(compute.id)} · {size(compute.min_cu, compute.max_cu)} · '
        f'<span class="{state}">{state}</span></span>'
    )


def _site(site: Site, used: Mapping[str, Branch], edge_port: int) -> str:
    rows = "".join(_deployment(deployment, used.get(deployment.id), edge_port) for deployment in site.deployments)
    head = "<tr><th>Deployment<th>Target<th>State<th>Domains<th>Database</tr>"
    table = f"<table>{head}{rows}</table>" if rows else '<p class="quiet">No deployment yet.</p>'
    return f"<section><h2>Vercel: {escape(site.name)} <small>{escape(site.id)}</small></h2>{table}</section>"


def _deployment(deployment: Deployment, branch: Branch | None, edge_port: int) -> str:
    state = escape(deployment.state)
    domains = ", ".join(_link(domain, edge_port) for domain in deployment.domains)
    return (
        f"<tr><td>{_link(deployment.host, edge_port)}<br><small>{escape(deployment.id)}</small>"
        f'<td>{escape(deployment.target)}<td><span class="{state}">{state}</span>'
        f"<td>{domains}<td>{_used(deployment, branch)}</tr>"
    )


def _used(deployment: Deployment, branch: Branch | None) -> str:
    if branch is not None:
        return f'<a href="#{escape(branch.id)}">{escape(branch.name)}</a>'
    named = dict(deployment.meta).get("neonBranch")
    return f"{escape(named)} <small>as its meta says</small>" if named else '<span class="quiet">unknown</span>'


def _link(host: str, edge_port: int) -> str:
    name = host.removesuffix(".vercel.app")
    if name == host:
        return escape(host)
    return f'<a href="http://{escape(name)}.localhost:{edge_port}/">{escape(host)}</a>'
