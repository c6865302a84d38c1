"""Reading a config: where it is, what it may be, and whether it is trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from llm_tools_mcp.config import (
    CALLER_VARIABLES,
    caller_environment,
    config_for_url,
    file,
    mentioned_variables,
    read_config,
)
from llm_tools_mcp.errors import ConfigError, ConfigNotFound

TEXT = '{"mcpServers": {}}'
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can give a file to another user")


@pytest.fixture
def default(tmp_path, monkeypatch) -> Path:
    """A default config that is fine."""
    monkeypatch.setenv("LLM_TOOLS_MCP_CONFIG_DIR", str(tmp_path / "conf"))
    (tmp_path / "conf").mkdir()
    return write(tmp_path / "conf" / "mcp.json")


def write(path: Path, content: str | bytes = TEXT, mode: int = 0o600) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
    return path


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root can read everything: become nobody for a moment."""
    if IS_ROOT:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if IS_ROOT:
            os.seteuid(0)


def test_default_is_read_when_no_path_is_given(default):
    """None means the default config."""
    source = read_config(None)
    assert (source.path, source.text, source.warnings) == (str(default), TEXT, ())


def test_tilde_expands(tmp_path, monkeypatch):
    """~ in the path is the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "my.json")
    assert read_config("~/my.json").path == str(tmp_path / "my.json")


@pytest.mark.parametrize("kind", [str, Path])
def test_relative_path_becomes_absolute(tmp_path, monkeypatch, kind):
    """The path that travels to the daemon is absolute."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my.json")
    assert read_config(kind("my.json")).path == str(tmp_path / "my.json")


def test_byte_order_mark_is_tolerated(tmp_path):
    """Some editors begin a file with a BOM."""
    assert read_config(write(tmp_path / "bom.json", b"\xef\xbb\xbf" + TEXT.encode())).text == TEXT


def test_missing_file_says_how_to_make_one(tmp_path):
    """The error names the path and shows a config."""
    with pytest.raises(ConfigNotFound, match="mcpServers") as error:
        read_config(tmp_path / "none.json")
    assert str(tmp_path / "none.json") in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "directory"),
        (lambda path: write(path, b'{"a": "\xff"}'), r"not UTF-8 text \(byte 7\)"),
        (lambda path: write(path, '{"a"}'.encode("utf-16")), "not UTF-8 text, but UTF-16: save"),
        (lambda path: path.symlink_to(path), "symbolic links"),
    ],
)
def test_unreadable_file(tmp_path, make, message):
    """Whatever keeps a file from being read is a ConfigError that names it."""
    path = tmp_path / "odd.json"
    make(path)
    with pytest.raises(ConfigError, match=message) as error:
        read_config(path)
    assert str(path) in str(error.value)


def test_forbidden_file(tmp_path):
    """A file without read permission is a ConfigError, not a traceback."""
    path = write(tmp_path / "secret.json", mode=0)
    with unprivileged(), pytest.raises(ConfigError, match="Permission denied"):
        read_config(path)


@pytest.mark.parametrize("path", ["a\0b", "~no-such-user-here/mcp.json"])
def test_impossible_path(path):
    """A path that cannot be is a ConfigError too."""
    with pytest.raises(ConfigError):
        read_config(path)


def test_vanished_folder(tmp_path):
    """A relative path in a folder that was deleted is a ConfigError."""
    program = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from llm_tools_mcp.config import read_config\n"
        "from llm_tools_mcp.errors import ConfigError\n"
        "try: read_config('mcp.json')\n"
        "except ConfigError as error: print(error)"
    )
    (tmp_path / "gone").mkdir()
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root), "LLM_TOOLS_MCP_CONFIG_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path / "gone",
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no longer exists" in done.stdout, done.stderr


# --- trust ---------------------------------------------------------------------------------------


def test_world_writable_default_is_refused(default):
    """The default config is refused when everyone can write it, with a command that mends it."""
    default.chmod(0o606)
    with pytest.raises(ConfigError, match="written by everyone") as error:
        read_config(None)
    assert f"chmod o-w {default}" in str(error.value)
    subprocess.run(["chmod", "o-w", default], check=True)
    assert read_config(None).text == TEXT


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o664, 0o660, 0o444])
def test_group_writable_default_is_accepted(default, mode):
    """A umask of 002 is no reason to refuse."""
    default.chmod(mode)
    assert read_config(None).warnings == ()


def test_default_given_by_name_is_still_the_default(default, tmp_path):
    """Another spelling or a symlink of the default config does not get round the refusal."""
    default.chmod(0o666)
    (tmp_path / "link.json").symlink_to(default)
    for spelling in (default, default.parent / ".." / "conf" / "mcp.json", tmp_path / "link.json"):
        with pytest.raises(ConfigError, match="written by everyone"):
            read_config(spelling)


def test_folder_that_everyone_can_write_to_is_refused(default, tmp_path):
    """Whoever can write to it can replace the file; so for one above it, and where links lead."""
    (tmp_path / "link").symlink_to(default.parent)
    for folder in (default.parent, tmp_path):
        mode = folder.stat().st_mode
        folder.chmod(0o777)
        for spelling in (None, tmp_path / "link" / "mcp.json"):
            with pytest.raises(ConfigError, match="folder that everyone can write to") as error:
                read_config(spelling)
            assert f"chmod o-w {folder}" in error.value.repair
        folder.chmod(0o1777)  # as /tmp: nobody can replace what is another's
        assert read_config(None).warnings == ()
        folder.chmod(mode)


def test_symlinked_default_is_judged_by_its_target(default, tmp_path):
    """Dotfile managers link the config: what counts is the file itself."""
    target = write(tmp_path / "dotfiles.json")
    default.unlink()
    default.symlink_to(target)
    assert read_config(None).text == TEXT
    target.chmod(0o666)
    with pytest.raises(ConfigError, match="written by everyone"):
        read_config(None)


def test_world_writable_named_config_is_a_warning(default, tmp_path):
    """For a file that the user names it is a warning, with the same command."""
    path = write(tmp_path / "it's mine.json", mode=0o666)
    source = read_config(path)
    (warning,) = source.warnings
    assert source.text == TEXT
    assert str(path) in warning
    assert "chmod o-w '" in warning


@needs_root
def test_default_of_another_user_is_refused(default):
    """The default config is refused when it belongs to somebody else."""
    os.chown(default, NOBODY, -1)
    with pytest.raises(ConfigError, match=r"another user \(uid 65534\)") as error:
        read_config(None)
    assert f"chown 0 {default}" in str(error.value)


@needs_root
def test_both_complaints_are_shown(default):
    """One look tells everything that has to be mended."""
    os.chown(default, NOBODY, -1)
    default.chmod(0o666)
    with pytest.raises(ConfigError, match=r"(?s)chown.*chmod"):
        read_config(None)


@needs_root
def test_named_config_of_another_user_is_a_warning(default, tmp_path):
    """Devcontainers and WSL show odd owners: a named file is read nevertheless."""
    path = write(tmp_path / "other.json")
    os.chown(path, NOBODY, -1)
    assert "another user" in read_config(path).warnings[0]


@needs_root
def test_default_of_root_is_accepted(monkeypatch):
    """A config that the administrator placed is fine."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        write(Path(folder, "mcp.json"), mode=0o644)
        monkeypatch.setenv("LLM_TOOLS_MCP_CONFIG_DIR", folder)
        with unprivileged():
            assert read_config(None).warnings == ()


def test_pipe_is_read_once_without_a_check(default):
    """Process substitution, <(…), works."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as pipe:
        pipe.write(TEXT)
    try:
        assert read_config(f"/dev/fd/{reader}").text == TEXT
    finally:
        os.close(reader)


def test_fifo_is_read(tmp_path):
    """A named pipe works as well, whatever its mode."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "fifo").chmod(0o666)
    feeder = threading.Thread(target=(tmp_path / "fifo").write_text, args=(TEXT,))
    feeder.start()
    source = read_config(tmp_path / "fifo")
    feeder.join()
    assert (source.text, source.warnings) == (TEXT, ())


def test_source_does_not_show_its_text(tmp_path):
    """The text holds tokens: no repr may show it."""
    assert "mcpServers" not in repr(read_config(write(tmp_path / "my.json")))


# --- a url instead of a file ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://mcp.example.com/mcp", "mcp.example.com"),
        ("https://user:pass@Host-1.x:8443/mcp?key=1", "host-1.x"),
        ("http://localhost:8000/sse", "localhost"),
        ("http://[::1]:8000/mcp", "__1"),
        ("http://under_score/mcp", "under_score"),
        ("http://bücher.example/", "b_cher.example"),
        ("http://", "server"),
        ("http://[", "server"),
    ],
)
def test_config_for_url(url, name):
    """A url alone is a config with one server, named after its host."""
    source = config_for_url(url)
    assert json.loads(source.text) == {"mcpServers": {name: {"url": url}}}
    assert source.path == ""
    assert "pass" not in repr(source)


# --- the caller's environment -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        ("${A}", {"A"}),
        ("${A:-b}${_c1}", {"A", "_c1"}),
        ("${A:-} ${A}", {"A"}),
        ("$A $$ ${} ${1A} ${A-b} ${input:A} $ {A}", set()),
        ("${A:-${B}}", {"A", "B"}),
        ('"${A:-unclosed", "${B}"', {"A", "B"}),
    ],
)
def test_mentioned_variables(text, names):
    """Every variable that the daemon may have to expand is found."""
    assert mentioned_variables(text) == names


def test_caller_environment_is_a_selection():
    """Only what a server inherits, proxies, and what the config mentions leaves the caller."""
    environ = {
        "HOME": "/h",
        "PATH": "/bin",
        "https_proxy": "http://p",
        "HTTPS_PROXY": "",
        "TOKEN": "t",
        "AWS_SECRET": "no",
        "FUNCTION": "() { :; }",
        "LATIN": "\udce4",
    }
    sent = caller_environment("${TOKEN} ${UNSET} ${FUNCTION} ${LATIN}", environ)
    assert sent == {"HOME": "/h", "PATH": "/bin", "https_proxy": "http://p", "HTTPS_PROXY": "", "TOKEN": "t"}


def test_caller_environment_keeps_a_path_with_one_odd_folder():
    """A folder that is not UTF-8 cannot travel, the rest of PATH does."""
    assert caller_environment("", {"PATH": "/a:/\udce4:/b"}) == {"PATH": "/a:/b"}


def test_caller_variables_hold_proxies_in_both_cases():
    """Tools disagree on the case, so both are sent."""
    assert {"NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "SSL_CERT_DIR", "TERM"} <= set(CALLER_VARIABLES)
    assert len(set(CALLER_VARIABLES)) == len(CALLER_VARIABLES)


def test_import_is_cheap():
    """The client reads a config without loading pydantic, or anything else that is slow."""
    program = (
        "import sys, llm_tools_mcp.config as c; c.read_config, c.mentioned_variables; print(*sys.modules)"
    )
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": str(root)}
    loaded = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    ).stdout.split()
    unwanted = {"pydantic", "hashlib", "llm", "mcp", "shutil", "difflib", "llm_tools_mcp.config.resolution"}
    assert not unwanted & set(loaded)


def test_file_without_an_end_is_refused():
    """What is too large for a config is not read to its end: /dev/zero has none."""
    with pytest.raises(ConfigError, match="too large for a config"):
        read_config("/dev/zero")


def test_pipe_that_nobody_writes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not hang for ever; one that is written to late is read."""
    pipe = tmp_path / "mcp.json"
    os.mkfifo(pipe)
    monkeypatch.setattr(file, "_PIPE_SECONDS", 0.1)
    with pytest.raises(ConfigError, match="is a pipe that nobody writes to"):
        read_config(pipe)
    monkeypatch.undo()
    writer = threading.Thread(target=pipe.write_text, args=('{"mcpServers": {}}',))
    writer.start()
    assert read_config(pipe).text == '{"mcpServers": {}}'
    writer.join()
