"""Where a local cloud answers and what it remembers."""

import json
from pathlib import Path

import pytest

from localcloud.cloud import Cloud, CloudFileError
from localcloud.ports import ANY_PORTS


def test_a_cloud_reads_back_as_it_was_made(tmp_path: Path) -> None:
    made = Cloud.load_or_create(tmp_path / "state", preferred=ANY_PORTS)
    assert Cloud.load(tmp_path / "state") == made
    assert Cloud.load_or_create(tmp_path / "state", preferred=ANY_PORTS) == made


def test_the_vercel_token_has_the_form_that_the_provider_demands(tmp_path: Path) -> None:
    token = Cloud.load_or_create(tmp_path / "state", preferred=ANY_PORTS).vercel_api_token
    assert len(token) == 24
    assert token.isalnum()


def test_two_clouds_share_no_token(tmp_path: Path) -> None:
    clouds = [Cloud.load_or_create(tmp_path / name, preferred=ANY_PORTS) for name in ("one", "two")]
    secrets = [(cloud.neon_api_key, cloud.vercel_api_token, cloud.passphrase_file.read_text()) for cloud in clouds]
    assert not set(secrets[0]) & set(secrets[1])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no local cloud was started here yet"),
        ("{", "is no JSON"),
        (json.dumps({"version": 99}), "another version"),
        (json.dumps([]), "another version"),
        (json.dumps({"version": 1, "ports": {"edge": 1}}), "lacks a port or a token"),
    ],
)
def test_an_unusable_file_is_refused_with_the_remedy(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "cloud.json").write_text(content)
    with pytest.raises(CloudFileError, match=said) as refused:
        Cloud.load(tmp_path)
    assert str(tmp_path / "cloud.json") in str(refused.value)
    assert "`localcloud " in str(refused.value)
