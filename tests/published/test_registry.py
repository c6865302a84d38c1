"""What registries answer, good and bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_tools_mcp.errors import PublishedError
from llm_tools_mcp.published import web
from llm_tools_mcp.published.registry import Registry
from tests.servers.registry import Registry as Served
from tests.servers.registry import serving


@pytest.fixture
def served() -> Iterator[Served]:
    with serving() as registry:
        yield registry


@pytest.fixture
def client() -> Iterator[web.Client]:
    with web.client() as made:
        yield made


def server(name: str, **keys: object) -> dict[str, object]:
    return {"server": {"name": name, "version": "1.0.0", **keys}}


def test_pages_are_read_until_there_is_enough(served: Served, client: web.Client) -> None:
    """In the registry's order, each server once, with or without the API's version in the address."""
    served.servers = [server(f"a/tool{number}") for number in range(7)] + [server("a/tool0")]
    for base in (served.url, f"{served.url}/", f"{served.url}/v0.1"):
        found = Registry(base, client).search(["tool"], 5)
        assert [one.name for one in found] == [f"a/tool{number}" for number in range(5)]
    assert len(Registry(served.url, client).search(["tool"], 100)) == 7


def test_all_words_count(served: Served, client: web.Client) -> None:
    """Each in the name, the title or the description; one of them in the name."""
    served.servers = [server("a/git", description="Reads repositories"), server("b/git", title="Write")]
    for words, names in [
        (["git", "REPOSITORIES"], ["a/git"]),
        (["write", "git"], ["b/git"]),
        (["x", "git"], []),
    ]:
        assert [one.name for one in Registry(served.url, client).search(words, 9)] == names


def test_odd_answers(served: Served, client: web.Client, tmp_path: Path) -> None:
    """Fields of another type, servers without a name, another server than the one that was asked for."""
    odd = {"server": {"name": "a/b", "description": ["x"], "packages": "none"}, "_meta": []}
    (tmp_path / "odd").write_text(
        json.dumps({"servers": [{"server": {"name": 7}}, {"server": None}, 3, odd]})
    )
    (tmp_path / "other").write_text(json.dumps(odd))
    served.files = {
        "/v0.1/servers": str(tmp_path / "odd"),
        "/v0.1/servers/a%2Fc/versions/latest": str(tmp_path / "other"),
    }
    registry = Registry(served.url, client)
    (found,) = registry.search(["x"], 9)
    assert (found.name, found.description, found.status, found.kinds) == ("a/b", "", "active", [])
    with pytest.raises(PublishedError, match="does not say what 'a/c' is"):
        registry.server("a/c")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[]", "JSON object"),
        (b"<html>", "JSON object"),
        (b"\xff", "JSON object"),
        (b"[" * 100_000, "JSON object"),
    ],
)
def test_what_is_no_registry(
    served: Served, client: web.Client, tmp_path: Path, content: bytes, complaint: str
) -> None:
    """Is told from one."""
    (tmp_path / "x").write_bytes(content)
    served.files = {"/x": str(tmp_path / "x")}
    with pytest.raises(PublishedError, match=complaint):
        web.get_object(client, f"{served.url}/x")


def test_requests_are_bounded(
    served: Served, client: web.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In size, in redirects, and to addresses that nobody else can answer for."""
    (tmp_path / "large").write_bytes(b" " * 2_000_000)
    served.files = {
        "/large": str(tmp_path / "large"),
        "/circle": f"{served.url}/circle",
        "/elsewhere": "http://elsewhere.example/x",
    }
    monkeypatch.setattr(web, "_MAX_ANSWER", 1 << 20)
    for path, complaint in [
        ("large", "more than 1 MiB"),
        ("circle", "redirects without end"),
        ("elsewhere", "no https:// url"),
        ("nothing", r"\(404\)"),
    ]:
        with pytest.raises(PublishedError, match=complaint):
            web.get_object(client, f"{served.url}/{path}")
    with pytest.raises(PublishedError, match="no https:// url"):
        web.get_object(client, "file:///etc/passwd")
    with pytest.raises(PublishedError, match="SHA-256"):
        web.download(client, f"{served.url}/large", tmp_path / "copy", "0" * 64, named_by=served.url)


def test_what_cannot_be_written_is_no_fault_of_the_host(
    served: Served, client: web.Client, tmp_path: Path
) -> None:
    """A disk that is full, or a folder that is gone: the file is named."""
    (tmp_path / "there").write_text("x")
    served.files = {"/there": str(tmp_path / "there")}
    path = tmp_path / "gone" / "bundle.mcpb"
    with pytest.raises(PublishedError, match=f"cannot be written: {path}: No such file"):
        web.download(client, f"{served.url}/there", path, "0" * 64, named_by=served.url)
