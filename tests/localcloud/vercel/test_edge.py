"""What a visitor meets: hosts, streams, static files, crashes, protection."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from localcloud.vercel import VercelCloud

pytestmark = pytest.mark.slow

TOKEN = "t" * 24
DOMAIN = "shop.vercel.app"
ECHO = """
export default async function (request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  response.setHeader("set-cookie", ["a=1", "b=2"]);
  response.setHeader("x-seen", JSON.stringify([request.method, request.url, request.headers.host]));
  response.statusCode = 207;
  response.end(Buffer.concat(chunks));
}
"""
STREAM = """
export default async function (request, response) {
  for (const part of ["one", "two"]) {
    response.write(part);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  response.end();
}
"""
FRAGILE = """
let asked = 0;
export default function (request, response) {
  asked += 1;
  if (request.url === "/exit") process.exit(7);
  if (request.url === "/half") { response.write("half"); setTimeout(() => process.exit(7), 50); return; }
  if (request.url === "/throw") throw new Error("thrown");
  response.end(String(asked));
}
"""


async def test_an_unknown_host_has_no_deployment(client: Any) -> None:
    answer = await client.visit("nobody.vercel.app")
    assert (answer.status_code, answer.headers["x-vercel-error"]) == (404, "DEPLOYMENT_NOT_FOUND")


async def test_a_browser_reaches_a_deployment_under_localhost(client: Any) -> None:
    deployment = await client.deploy(await client.project())
    for host in ("shop.localhost", "shop.localhost:7433", "SHOP.localhost", "shop.vercel.app:80"):
        assert await client.serving(host) == deployment["id"]


async def test_method_path_query_host_body_status_and_every_header_pass_through(client: Any) -> None:
    await client.deploy(await client.project(), ECHO)
    answer = await client.visit(DOMAIN, "/a%20b/c?d=%2F&e", "PUT", content=b"x" * 300_000)
    assert (answer.status_code, answer.content) == (207, b"x" * 300_000)
    assert answer.headers["x-seen"] == '["PUT","/a%20b/c?d=%2F&e","shop.vercel.app"]'
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["x-vercel-id"].startswith("dev1::")


async def test_an_answer_is_passed_on_as_it_comes(client: Any) -> None:
    await client.deploy(await client.project(), STREAM)
    loop = asyncio.get_running_loop()
    async with client.edge.stream("GET", "/", headers={"host": DOMAIN}) as answer:
        begun = loop.time()
        parts = [(chunk, loop.time() - begun) async for chunk in answer.aiter_raw()]
    assert [part for part, _ in parts] == [b"one", b"two"]
    assert parts[1][1] - parts[0][1] > 0.2


async def test_a_deployment_keeps_one_process_for_all_its_requests(client: Any) -> None:
    await client.deploy(await client.project(), FRAGILE)
    answers = await asyncio.gather(*(client.visit(DOMAIN) for _ in range(10)))
    assert sorted(int(answer.text) for answer in answers) == list(range(1, 11))


async def test_a_process_that_ends_is_a_502_for_that_request_and_is_started_again(client: Any) -> None:
    await client.deploy(await client.project(), FRAGILE)
    answer = await client.visit(DOMAIN, "/exit")
    assert (answer.status_code, answer.headers["x-vercel-error"]) == (502, "NO_RESPONSE_FROM_FUNCTION")
    assert (await client.visit(DOMAIN)).text == "1"


async def test_half_an_answer_never_looks_like_a_whole_one(client: Any) -> None:
    await client.deploy(await client.project(), FRAGILE)
    with pytest.raises(httpx.TransportError):
        await client.visit(DOMAIN, "/half")
    assert (await client.visit(DOMAIN)).text == "1"


async def test_a_function_that_throws_is_a_500_and_lives_on(client: Any) -> None:
    await client.deploy(await client.project(), FRAGILE)
    answer = await client.visit(DOMAIN, "/throw")
    assert (answer.status_code, answer.headers["x-vercel-error"]) == (500, "FUNCTION_INVOCATION_FAILED")
    assert (await client.visit(DOMAIN)).text == "2"


async def test_code_that_does_not_load_is_a_500(client: Any) -> None:
    deployment = await client.deploy(await client.project(), "import 'not-installed'; export default () => {};")
    assert deployment["readyState"] == "READY"
    answer = await client.visit(DOMAIN)
    assert (answer.status_code, answer.headers["x-vercel-error"]) == (500, "FUNCTION_INVOCATION_FAILED")


async def test_static_files_come_before_rewrites_and_nothing_else_is_static(client: Any) -> None:
    files = {"public/index.html": "<h1>home", "public/docs/index.html": "<h1>docs", "secret.txt": "secret"}
    await client.deploy(await client.project(), files=files)
    assert (await client.visit(DOMAIN)).text == "<h1>home"
    assert (await client.visit(DOMAIN, "/docs/")).headers["content-type"].startswith("text/html")
    for path in ("/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/docs/..%2f..%2fsecret.txt"):
        assert "secret\n" not in (await client.visit(DOMAIN, path)).text
        assert (await client.visit(DOMAIN, path)).json()["url"].endswith("secret.txt")


async def test_paths_without_a_function_or_a_rewrite_are_not_found(client: Any) -> None:
    one = "export default (request, response) => response.end('one');"
    rewrites = '{"rewrites": [{"source": "/items/:id", "destination": "/api/one"}]}'
    await client.deploy(
        await client.project(), files={"api/one.js": one, "api/_hidden.js": one, "vercel.json": rewrites}
    )
    assert (await client.visit(DOMAIN, "/api/one")).text == "one"
    assert (await client.visit(DOMAIN, "/items/5?x=1")).text == "one"
    for path in ("/items", "/items/5/6", "/api/_hidden", "/nothing"):
        assert (await client.visit(DOMAIN, path)).status_code == 404


async def test_an_idle_process_is_ended_and_started_again_by_the_next_visitor(
    tmp_path: Path, connect: Callable[[int, int], Any]
) -> None:
    cloud = VercelCloud(tmp_path / "idle", token=TOKEN, api_port=0, edge_port=0, idle_seconds=0.3)
    await cloud.start()
    try:
        client = connect(cloud.api_port, cloud.edge_port)
        await client.deploy(await client.project(), FRAGILE)
        assert (await client.visit(DOMAIN)).text == "1"
        assert (await client.visit(DOMAIN)).text == "2"
        children = [child for child in psutil.Process().children() if str(tmp_path) in child.cwd()]
        assert len(children) == 1
        await asyncio.to_thread(children[0].wait, 5)
        assert (await client.visit(DOMAIN)).text == "1"
    finally:
        await cloud.stop()


async def test_a_protected_project_answers_strangers_on_its_production_domain_only(client: Any) -> None:
    protection = {"deploymentType": "prod_deployment_urls_and_all_previews"}
    project = await client.project(ssoProtection=protection)
    deployment = await client.deploy(project)
    assert (await client.visit(DOMAIN)).status_code == 200
    assert (await client.visit(deployment["url"])).status_code == 401
    answer = await client.call("PATCH", f"/v1/projects/{project}/protection-bypass", {"generate": {}})
    (secret,) = answer["protectionBypass"]
    header = {"x-vercel-protection-bypass": secret}
    assert (await client.visit(deployment["url"], headers=header)).status_code == 200
    assert (await client.visit(deployment["url"], f"/?x-vercel-protection-bypass={secret}")).status_code == 200
    assert (await client.visit(deployment["url"], headers={"x-vercel-protection-bypass": "wrong"})).status_code == 401
    await client.call("PATCH", f"/v9/projects/{project}", {"ssoProtection": {"deploymentType": "all"}})
    assert (await client.visit(DOMAIN)).status_code == 401
