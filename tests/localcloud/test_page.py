"""The page over real HTTP, from the stand-ins' answers."""

import httpx
import pytest

from localcloud import markup
from localcloud.cloud import Cloud
from localcloud.page import endpoint_named_in
from localcloud.survey import Survey, survey


def get(cloud: Cloud, **headers: str) -> httpx.Response:
    return httpx.get(cloud.page_url, headers=headers, trust_env=False)


def test_the_page_nests_branches_below_their_parents(cloud: Cloud) -> None:
    text = get(cloud).text
    main, dev, prod = (text.index(f'<li id="{branch}">') for branch in ("br-a", "br-b", "br-c"))
    assert main < dev < prod
    assert "</li>" not in text[main:prod], "each stands inside its parent's item"


def test_the_page_shows_computes_domains_and_links_to_the_edge(cloud: Cloud) -> None:
    text = get(cloud).text
    assert "ep-c · 1-4 CU" in text
    assert f'<a href="http://shop.localhost:{cloud.ports.edge}/">shop.vercel.app</a>' in text


def test_the_page_names_the_branch_of_the_captured_endpoint_and_else_what_meta_says(cloud: Cloud) -> None:
    text = get(cloud).text
    assert '<a href="#br-c">prod-v1</a>' in text
    assert "&lt;b&gt;dev&lt;/b&gt; <small>as its meta says</small>" in text


def test_the_page_holds_no_script_and_no_token(cloud: Cloud) -> None:
    answer = get(cloud)
    assert "<script" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert cloud.neon_api_key not in answer.text
    assert cloud.vercel_api_token not in answer.text


def test_the_page_refuses_foreign_host_names(cloud: Cloud) -> None:
    assert get(cloud, Host="rebound.example").status_code == 421


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("postgresql://u:ep-secret@127.0.0.1:1/db?sslmode=disable&options=endpoint%3Dep-a-1", "ep-a-1"),
        ("postgresql://u:p@127.0.0.1:1/db?options=endpoint%3Dep-a-1-pooler%20-c%20x%3D1", "ep-a-1"),
        ("postgresql://u:p@ep-b-2-pooler.eu-central-1.aws.neon.tech/db?sslmode=require", "ep-b-2"),
        ("postgresql://u:ep-secret@db.example/db", None),
        ("postgresql://u:p@[broken/db", None),
        ("", None),
    ],
)
def test_an_endpoint_is_read_from_the_url_and_never_from_its_password(url: str, endpoint: str | None) -> None:
    assert endpoint_named_in({"DATABASE_URL": url}) == endpoint


async def test_names_are_escaped(cloud: Cloud) -> None:
    now = await survey(cloud)
    hostile = Survey(databases=(), sites=(now.sites[0].__class__(id="prj", name="<img src=x>", deployments=()),))
    assert "<img" not in markup.render(hostile, {}, edge_port=1)


def test_an_empty_cloud_says_so() -> None:
    assert "No Neon and no Vercel project yet" in markup.render(Survey(databases=(), sites=()), {}, edge_port=1)
