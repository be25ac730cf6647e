"""What a deployment takes along: the app's files, and nothing that lies elsewhere on this machine."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from environments.clients.app_files import AppFilesError, app_digest, app_files


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "api").mkdir(parents=True)
    (folder / "api" / "index.js").write_text("1")
    (folder / "z.txt").write_text("2")
    return folder


def paths(folder: Path) -> list[str]:
    return [file.path for file in app_files(folder)]


def test_files_go_along_and_dependencies_output_and_developers_secrets_do_not(app: Path) -> None:
    for left_out in (
        "node_modules/pg/index.js",
        ".git/config",
        ".env",
        ".env.local",
        "api/.env",
        ".next/x",
        "a/.DS_Store",
    ):
        (app / left_out).parent.mkdir(parents=True, exist_ok=True)
        (app / left_out).write_text("secret")
    (app / "node_modules" / "link").symlink_to("/etc/passwd")
    assert paths(app) == ["api/index.js", "z.txt"]
    assert app_files(app)[1].content == b"2"


def test_a_folder_that_is_not_there_or_empty_has_no_digest(tmp_path: Path) -> None:
    assert app_digest(tmp_path / "none") is None
    assert app_digest(tmp_path) is None


def test_the_digest_tells_names_and_contents(app: Path) -> None:
    before = app_digest(app)
    (app / "z.txt").rename(app / "y.txt")
    renamed = app_digest(app)
    (app / "y.txt").write_text("3")
    assert len({before, renamed, app_digest(app)}) == 3


@pytest.mark.parametrize("target", ["z.txt", "api/index.js", "api/../z.txt"])
def test_a_link_to_a_file_of_the_app_counts_as_that_file(app: Path, target: str) -> None:
    (app / "link").symlink_to(target)
    (found,) = [file for file in app_files(app) if file.path == "link"]
    assert found.content == (app / target).read_bytes()


def test_a_link_to_a_link_of_the_app_counts_as_its_file(app: Path) -> None:
    (app / "first").symlink_to("z.txt")
    (app / "second").symlink_to("first")
    assert paths(app) == ["api/index.js", "first", "second", "z.txt"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside.txt", "/etc", "..", "via"])
def test_a_link_that_leads_out_of_the_app_is_refused(app: Path, target: str) -> None:
    (app.parent / "outside.txt").write_text("private")
    if target == "via":
        (app / "node_modules").mkdir()
        (app / "node_modules" / "via").symlink_to("/etc/passwd")
        target = "node_modules/via"
    (app / "link").symlink_to(target)
    with pytest.raises(AppFilesError, match=r"app/link is a link that leads out of .*app, so what it leads to is not"):
        app_files(app)


def test_a_folder_beside_the_app_whose_name_begins_as_the_apps_is_outside(app: Path) -> None:
    other = app.with_name("app-secrets")
    other.mkdir()
    (other / "x").write_text("private")
    (app / "link").symlink_to(other / "x")
    with pytest.raises(AppFilesError, match="leads out of"):
        app_files(app)


@pytest.mark.parametrize("target", ["nowhere", "link", "z.txt/x"])
def test_a_link_that_leads_nowhere_is_refused(app: Path, target: str) -> None:
    (app / "link").symlink_to(target)
    with pytest.raises(AppFilesError, match="app/link is a link that leads nowhere"):
        app_files(app)


def test_a_link_to_a_folder_is_refused_rather_than_left_out(app: Path) -> None:
    (app / "again").symlink_to("api")
    (app / "api" / "round").symlink_to("..")
    with pytest.raises(AppFilesError, match="is a link to a folder"):
        app_files(app)


@pytest.mark.parametrize("target", [".env", "node_modules/pg.js"])
def test_a_link_takes_nothing_along_that_is_left_out(app: Path, target: str) -> None:
    (app / target).parent.mkdir(exist_ok=True)
    (app / target).write_text("secret")
    (app / "settings").symlink_to(target)
    with pytest.raises(AppFilesError, match=f"app/settings is a link to {target}, which is never deployed"):
        app_files(app)


def test_what_is_no_file_is_refused_and_not_waited_for(app: Path) -> None:
    os.mkfifo(app / "pipe")
    with pytest.raises(AppFilesError, match="app/pipe is neither a file nor a folder"):
        app_files(app)


def test_a_socket_is_refused() -> None:
    with tempfile.TemporaryDirectory(prefix="app-") as folder, socket.socket(socket.AF_UNIX) as made:
        made.bind(f"{folder}/dev.sock")
        with pytest.raises(AppFilesError, match=r"dev\.sock is neither a file nor a folder"):
            app_files(Path(folder))


def test_a_file_that_is_too_large_is_refused_before_it_is_read(app: Path) -> None:
    with (app / "huge.bin").open("wb") as huge:
        huge.truncate(5 * 10**9)
    with pytest.raises(AppFilesError, match=r"app/huge\.bin has 5\.0 GB, and Vercel takes files of up to 1 GB"):
        app_files(app)


def test_a_file_that_cannot_be_read_is_named(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(AppFilesError, match=r"app/api/index\.js can't be read \(permission denied\): make it readable"):
        app_files(app)


def test_a_folder_that_cannot_be_read_is_named_rather_than_left_out(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("api"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(AppFilesError, match=r"app/api can't be read \(permission denied\)"):
        app_files(app)


def test_a_name_that_is_no_text_is_refused(app: Path) -> None:
    os.close(os.open(os.fsencode(app) + b"/\xff.txt", os.O_CREAT | os.O_WRONLY))
    with pytest.raises(AppFilesError, match="is not UTF-8: rename the file"):
        app_files(app)
