"""A page that shows the local cloud at a glance: lineage, computes, deployments, and who uses which database."""

from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

import httpx
from aiohttp import web

from localcloud import markup
from localcloud.cloud import Cloud
from localcloud.ports import LOOPBACK
from localcloud.survey import survey

# The id of each deployment to the id of the endpoint that its captured environment names.
EndpointsInUse = Callable[[], Mapping[str, str]]

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def endpoint_named_in(environment: Mapping[str, str]) -> str | None:
    """The endpoint that a deployment's DATABASE_URL leads to, as an option of the URL or in its host name."""
    try:
        url = urlsplit(environment.get("DATABASE_URL", ""))
        options = parse_qs(url.query).get("options", [""])[0].split()
        named = [option.removeprefix("endpoint=") for option in options if option.startswith("endpoint=")]
        endpoint = (named or [(url.hostname or "").partition(".")[0]])[0].removesuffix("-pooler")
    except ValueError:
        return None
    return endpoint if endpoint.startswith("ep-") else None


class Page:
    """Serves the page on its own port; it needs no token, so it shows no secret."""

    def __init__(self, cloud: Cloud, endpoints_in_use: EndpointsInUse = dict) -> None:
        self._cloud = cloud
        self._endpoints_in_use = endpoints_in_use
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Return when the page answers."""
        app = web.Application()
        app.router.add_get("/", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._cloud.ports.page).start()

    async def stop(self) -> None:
        """Close the port."""
        if self._runner:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        # A page elsewhere whose name resolves to the loopback address must not read this one.
        if request.url.host not in {LOOPBACK, "localhost"}:
            return web.Response(status=421, text=f"ask for {self._cloud.page_url}\n")
        try:
            now = await survey(self._cloud)
        except httpx.HTTPError as error:
            return web.Response(status=502, text=f"an API of the local cloud does not answer: {error}\n")
        html = markup.render(now, self._endpoints_in_use(), edge_port=self._cloud.ports.edge)
        return web.Response(text=html, content_type="text/html", headers=HEADERS)
