"""MCPB bundles: what is unsafe to unpack is refused, and manifests become entries."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp.errors import PublishedError
from llm_tools_mcp.published import archive, bundles, web
from tests.published.bundle_files import bundle, linked


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is put into the home of who runs the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))


def entry(file: Path, **values: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """The entry, defaults included, and the folder that it is for."""
    with bundles.opened(file) as opened:
        folder = opened.folder("notes", "mcp.json")
        defaults = {one.key: one.default_answers for one in opened.manifest.inputs if one.default_answers}
        return opened.manifest.entry(folder, opened.files, {**defaults, **values}), str(folder)


@pytest.mark.parametrize(
    "members",
    [
        [("../evil", "x")],
        [("a/../../evil", "x")],
        [("/etc/evil", "x")],
        [("C:evil", "x")],
        [("a\\..\\evil", "x")],
        [("a//b", "x")],
        [("./a", "x")],
        [("a\nb", "x")],
        [("x" * 256, "x")],
        [(linked("a"), "/etc")],
        [("a", "x"), ("A", "y")],
        [("caf\u00e9", "x"), ("cafe\u0301", "y")],
        [("a", "x"), ("a/b", "y")],
        [("Dir/a", "x"), ("dir", "y")],
    ],
)
def test_unsafe_archives_are_refused(tmp_path: Path, members: list[Any]) -> None:
    """Before anything is unpacked: no file can land elsewhere, or hide another."""
    file = bundle(tmp_path / "b.mcpb", *members)
    with pytest.raises(PublishedError), bundles.opened(file):
        pass
    assert not (tmp_path / "data").exists()


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what they say that they hold; and one that lies is found out while it is unpacked."""
    file = bundle(tmp_path / "b.mcpb", ("zeros", "0" * 3_000_000))
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(archive, "_MAX_BYTES", 1_000_000)
    with pytest.raises(PublishedError, match="when it is unpacked"), bundles.opened(file):
        pass
    lying = tmp_path / "lying.mcpb"
    lying.write_bytes(
        file.read_bytes().replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    with pytest.raises(PublishedError, match="damaged"), bundles.opened(lying) as opened:
        opened.install(opened.folder("notes", "mcp.json"))
    assert [*(tmp_path / "data").rglob("zeros")] == []
    monkeypatch.setattr(archive, "_MAX_MEMBERS", 1)
    with pytest.raises(PublishedError, match="more than 1 files"), bundles.opened(file):
        pass


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no zip file"),
        (b"PK\x05\x06", "no zip file"),
        (b"not a zip" * 100, "no zip file"),
    ],
)
def test_what_is_no_archive(tmp_path: Path, content: bytes, complaint: str) -> None:
    """A clear error."""
    file = tmp_path / "b.mcpb"
    file.write_bytes(content)
    with pytest.raises(PublishedError, match=complaint), bundles.opened(file):
        pass


def test_damaged_member_is_said_in_a_line(tmp_path: Path) -> None:
    """Whichever way it is compressed; nothing of the bundle stays."""
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        info = zipfile.ZipInfo("data")
        info.compress_type = method
        file = bundle(tmp_path / f"{method}.mcpb", (info, "words " * 1000))
        content = bytearray(file.read_bytes())
        begin = content.index(b"data") + 30
        content[begin : begin + 8] = b"\xff" * 8
        file.write_bytes(content)
        with pytest.raises(PublishedError), bundles.opened(file) as opened:
            opened.install(opened.folder("notes", "mcp.json"))
    assert [*(tmp_path / "data").rglob("data")] == []


def test_bound_of_any_number_of_digits(tmp_path: Path) -> None:
    """One that no number reaches is none."""
    config = {"n": {"type": "number", "min": -(10**400), "max": 10**400}}
    with bundles.opened(bundle(tmp_path / "b.mcpb", user_config=config)) as opened:
        (wanted,) = opened.manifest.inputs
    assert (wanted.least, wanted.most, wanted.answer("12")) == (None, None, "12")


def test_nothing_on_this_machine_is_fetched_for_a_registry_elsewhere(tmp_path: Path) -> None:
    """Who publishes on the internet cannot have us ask what listens here, or in the user's network."""
    for url in (
        "http://127.0.0.1:1/x",
        "http://localhost:1/x",
        "https://192.168.0.1/x",
        "https://169.254.1.1/x",
    ):
        with web.client() as client, pytest.raises(PublishedError, match="has no business; refused"):
            web.download(client, url, tmp_path / "x", "0" * 64, named_by="https://93.184.215.14")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"manifest_version": "9"}, "0.1 to 0.4"),
        ({"server": {"type": "wasm"}}, "'wasm'"),
        ({"server": {"type": "node", "entry_point": "x"}}, "names no command"),
        ({"compatibility": {"platforms": ["win32"]}}, "is for win32"),
        ({"name": ""}, "no name"),
        ({"config": {"command": "x", "env": {"A B": "c"}}}, "'A B'"),
        ({"config": {"command": "x", "args": ["a", {"b": 1}]}}, "no texts"),
    ],
)
def test_manifests_that_cannot_be_used(tmp_path: Path, keys: dict[str, Any], complaint: str) -> None:
    """Say why."""
    with pytest.raises(PublishedError, match=complaint), bundles.opened(bundle(tmp_path / "b.mcpb", **keys)):
        pass


def test_manifest_becomes_an_entry(tmp_path: Path) -> None:
    """Variables, several values, what is not answered, files of the bundle, and text that only looks so."""
    file = bundle(
        tmp_path / "b.mcpb",
        ("server/main.py", ""),
        config={
            "command": "python3",
            "args": [
                "server/main.py",
                "--in=${__dirname}${/}x",
                "${user_config.folders}",
                "--token",
                "${user_config.none}",
                "${user_config.none}",
                "${HOME}/a ${DOWNLOADS}",
                "${llm:openai}",
            ],
            "env": {
                "LIST": "${user_config.folders}",
                "N": "${user_config.n}",
                "NONE": "${user_config.none}",
                "PART": "<${user_config.none}>",
                "EVIL": "${OPENAI_API_KEY}",
            },
            "platform_overrides": {"other": {"command": "nothing"}},
        },
        user_config={
            "folders": {"type": "directory", "multiple": True, "default": ["${HOME}", "${DESKTOP}"]},
            "n": {"type": "number", "default": 5, "min": 1, "max": 9},
            "none": {"type": "string", "sensitive": True},
        },
    )
    made, folder = entry(file)
    home = str(tmp_path)
    assert made == {
        "command": "python3",
        "args": [
            f"{folder}/server/main.py",
            f"--in={folder}/x",
            *(home, f"{home}/Desktop"),
            *("--token", ""),
            f"{home}/a {home}/Downloads",
            "$${llm:openai}",
        ],
        "env": {"LIST": f"{home},{home}/Desktop", "N": "5", "PART": "<>", "EVIL": "$${OPENAI_API_KEY}"},
    }
    assert entry(file, n=("${N}",), none=("${llm:k}",))[0]["env"]["NONE"] == "${llm:k}"


def test_kinds_of_servers(tmp_path: Path) -> None:
    """`uv` needs no command; `binary` runs from the bundle, made executable; an override of this platform."""
    uv = bundle(
        tmp_path / "uv.mcpb", manifest_version="0.4", server={"type": "uv", "entry_point": "src/server.py"}
    )
    made, folder = entry(uv)
    assert made == {"command": "uv", "args": ["run", "--directory", folder, "src/server.py"]}
    config = {
        "command": "other",
        "platform_overrides": {sys.platform: {"command": "bin/tool", "args": ["-v"]}},
    }
    server = {"type": "binary", "entry_point": "bin/tool", "mcp_config": config}
    file = bundle(tmp_path / "binary.dxt", ("bin/tool", "#!/bin/sh\n"), ("bin/data", ""), server=server)
    made, folder = entry(file)
    assert made == {"command": f"{folder}/bin/tool", "args": ["-v"]}
    with bundles.opened(file) as opened:
        assert opened.install(Path(folder))
        assert not opened.install(Path(folder))
    assert os.access(f"{folder}/bin/tool", os.X_OK)
    assert Path(f"{folder}/bin/data").stat().st_mode & 0o777 == 0o600


def test_bundle_that_is_signed(tmp_path: Path) -> None:
    """A signature behind the archive does no harm; it is told that nobody checks it."""
    file = bundle(tmp_path / "b.mcpb")
    file.write_bytes(file.read_bytes() + b"MCPB_SIG_V1" + b"\x01" * 3000 + b"MCPB_SIG_END")
    with bundles.opened(file) as opened:
        assert opened.is_signed


def test_only_unused_folders_are_removed(tmp_path: Path) -> None:
    """Of the bundles' own folder, and never what an entry names elsewhere."""
    with bundles.opened(bundle(tmp_path / "b.mcpb")) as opened:
        one, two = (opened.folder(name, "c") for name in ("one", "two"))
        opened.install(one)
        opened.install(two)
    outside = tmp_path / "outside"
    outside.mkdir()
    gone = [{"args": [f"{one}/x", f"{two}/x", str(outside)]}]
    assert bundles.remove_unused(gone, [{"cwd": str(two)}]) == [one]
    assert (one.exists(), two.exists(), outside.exists()) == (False, True, True)


@pytest.mark.parametrize("written", ["{}", "${{__dirname}}/{}", "./../../../../{}", "/{}"])
def test_no_file_outside_is_made_executable(tmp_path: Path, written: str) -> None:
    """Whatever a manifest names as its program, or as its entry point."""
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    named = written.format(outside)
    server = {"type": "binary", "entry_point": named, "mcp_config": {"command": named}}
    with bundles.opened(bundle(tmp_path / "b.mcpb", server=server)) as opened:
        opened.install(opened.folder("notes", "mcp.json"))
    assert outside.stat().st_mode & 0o777 == 0o600


def test_program_named_with_a_dot_is_made_executable(tmp_path: Path) -> None:
    """`./bin/tool` is the file `bin/tool` of the archive."""
    server = {"type": "binary", "entry_point": "./bin/tool", "mcp_config": {"command": "sh"}}
    file = bundle(tmp_path / "b.mcpb", ("bin/tool", "#!/bin/sh\n"), server=server)
    with bundles.opened(file) as opened:
        folder = opened.folder("notes", "mcp.json")
        opened.install(folder)
    assert os.access(folder / "bin" / "tool", os.X_OK)


@pytest.mark.parametrize("error", [RuntimeError, ValueError, OSError, EOFError])
def test_errors_of_who_has_it_open_stay_their_own(tmp_path: Path, error: type[Exception]) -> None:
    """Ctrl-C at a question (click.Abort is a RuntimeError) is no damaged zip file."""
    with pytest.raises(error), bundles.opened(bundle(tmp_path / "b.mcpb")):
        raise error
