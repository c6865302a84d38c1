"""What a server's entry resolves to: as the caller would start it, wherever the daemon runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from llm_tools_mcp.config import caller_environment
from tests.parsing import CALLER, one


@pytest.mark.parametrize(
    ("written", "expanded"),
    [
        ("${A}", "one"),
        ("x${A}y${B}z", "xoneytwoz"),
        ("${A:-d}", "one"),
        ("${NO:-d}", "d"),
        ("${NO:-}", ""),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${NO:-a b:-c$}", "a b:-c$"),
        ("${RAW}", "${A}"),
        ("${env:A}${env:NO:-d}", "oned"),
        ("${NO:-${A}}${NO:-<${env:NO:-${B}}>}", "one<two>"),
        ("${A:-${NO}}", "one"),
        ("$${A} $${input:x}", "${A} ${input:x}"),
        ("$A $$ $ ${A", "$A $$ $ ${A"),
        ("~/x", "~/x"),
    ],
)
def test_expansion(written, expanded):
    """${VAR} and ${VAR:-default} in every string value, once; everything else stays as it is."""
    environment = {"A": "one", "B": "two", "EMPTY": "", "RAW": "${A}"}
    stdio = one({"command": "c" + written, "args": [written], "env": {"${A}": written}}, environment)
    assert (stdio.command, stdio.args, stdio.env["${A}"]) == ("c" + expanded, (expanded,), expanded)
    http = one({"url": "http://h", "headers": {"A": written}, "includeTools": [written]}, environment)
    assert (http.headers["A"], http.include) == (expanded, (expanded,))


SHELLS = ("${}", "${1}", "${A-b}", "${A:+b}", "${A:0:3}", "${1${A}}")


def test_what_shells_expand():
    """It is left to the shell that a server's command may be, with what stands in it."""
    found = one({"command": "sh", "args": ["-c", " ".join(SHELLS)], "env": {"P": SHELLS[2]}}, {"A": "one"})
    assert found.args[1] == " ".join((*SHELLS[:-1], "${1one}"))
    assert found.env["P"] == SHELLS[2]


def test_folders_by_their_names_in_editors():
    """Configs of VS Code, Cursor and Claude Code mean the caller's folder and home; variables go first."""
    args = [
        *("${workspaceFolder}/x", "${workspaceFolderBasename}", "${cwd}", "${CLAUDE_PROJECT_DIR:-.}"),
        *("${userHome}", "${pathSeparator}", "a${/}b"),
    ]
    found = one({"command": "a", "args": args}, {"HOME": "/home/u", "cwd": "mine"}, cwd="/work/shop")
    assert found.args == ("/work/shop/x", "shop", "mine", "/work/shop", "/home/u", "/", "a/b")
    assert one({"url": "http://h/${workspaceFolder}"}).url == "http://h//work"


def test_root_folder_is_one_folder():
    """POSIX lets // be another one than /."""
    assert one({"command": "a"}, cwd="/").cwd == "/"
    assert one({"command": "a", "cwd": "b"}, cwd="/").cwd == "/b"


def test_expansion_in_cwd_and_url():
    """The remaining strings."""
    environment = {"DIR": "/d", "HOST": "h"}
    assert one({"command": "a", "cwd": "${DIR}/e"}, environment).cwd == "/d/e"
    assert one({"url": "https://${HOST}/mcp?${Q:-q}"}, environment).url == "https://h/mcp?q"


# --- what a child gets -----------------------------------------------------------------------------


def test_env_is_complete():
    """What is the caller's person and network, the config's over it, and nothing else."""
    definition = one({"command": "a", "env": {"TOKEN": "${TOKEN}", "HOME": "/h"}}, {**CALLER, "OTHER": "o"})
    kept = {key: value for key, value in CALLER.items() if key not in ("TOKEN", "HOME")}
    assert definition.env == {**kept, "HOME": "/h", "TOKEN": "t"}
    assert definition.proxy_env == {}


def test_surroundings_reach_the_server():
    """Language, time zone, desktop and agent."""
    given = {"LANG": "C", "LC_TIME": "de", "TZ": "UTC", "XDG_DATA_HOME": "/x", "WAYLAND_DISPLAY": "w"}
    assert one({"command": "a"}, {**given, "LCX": "", "EDITOR": "vi"}).env == given


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (True, {"AWS_PROFILE", "AWS_REGION", "EDITOR"}),
        (["AWS_*", "NONE"], {"AWS_PROFILE", "AWS_REGION"}),
        (["EDITOR"], {"EDITOR"}),
        ([], set()),
        (False, set()),
        (None, set()),
    ],
)
def test_inherited_environment(wanted, names):
    """All of it, or names and globs; the same travels to the daemon."""
    environ = {"AWS_PROFILE": "p", "AWS_REGION": "r", "EDITOR": "vi", "BASH_FUNC_x%%": "() { :; }"}
    entry = {"command": "a", "inheritEnv": wanted}
    sent = caller_environment(json.dumps({"mcpServers": {"x": entry}}), environ)
    assert sent.keys() == names
    assert one(entry, sent).env.keys() == names


def test_proxy_env_of_http():
    """Proxies and certificates are for http servers."""
    definition = one({"url": "http://h"}, CALLER)
    assert definition.proxy_env == {"HTTPS_PROXY": "http://p", "SSL_CERT_FILE": "/c"}
    assert (definition.env, definition.cwd) == ({}, "")


@pytest.mark.parametrize(
    ("written", "cwd", "pinned"),
    [
        (None, "/work", False),
        ("", "/work", False),
        (".", "/work", True),
        ("/abs", "/abs", True),
        ("sub/./dir/", "/work/sub/dir", True),
        ("../x", "/x", True),
        ("~", "/home/u", True),
        ("~/p", "/home/u/p", True),
        ("~no-such-user-here/p", "/work/~no-such-user-here/p", True),
        ("a/~", "/work/a/~", True),
    ],
)
def test_cwd(written, cwd, pinned):
    """A pinned folder is relative to the caller's, ~ is the caller's home."""
    definition = one({"command": "a", "cwd": written}, CALLER)
    assert (definition.cwd, definition.cwd_is_pinned) == (cwd, pinned)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Executables: bin/tool, work/local.sh, work/bin2/tool2; and a file that is none."""
    for name in ("bin/tool", "work/local.sh", "work/bin2/tool2", "work/plain"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o644 if name == "work/plain" else 0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("command", "path", "found"),
    [
        ("tool", "{0}/bin", "{0}/bin/tool"),
        ("tool", "/none:{0}/bin:/usr/bin", "{0}/bin/tool"),
        ("tool", "/usr/bin", "tool"),
        ("tool2", "bin2", "{0}/work/bin2/tool2"),
        ("local.sh", "/usr/bin:", "{0}/work/local.sh"),
        ("local.sh", "{0}/bin", "local.sh"),
        ("./local.sh", "", "{0}/work/./local.sh"),
        ("bin2/tool2", "", "{0}/work/bin2/tool2"),
        ("{0}/bin/tool", "", "{0}/bin/tool"),
        ("./plain", "", "{0}/work/./plain"),  # cannot be run, and is named
        ("./none", "", "./none"),
        ("~/tool", "", "{0}/tool"),
        ("~/bin/tool", "", "{0}/bin/tool"),
    ],
)
def test_command_lookup(folders, monkeypatch, command, path, found):
    """As the child would find it: in its own PATH, relative to its own folder."""
    monkeypatch.setenv("PATH", str(folders / "bin"))  # the daemon's own, which must not count
    command, path, found = (text.format(folders) for text in (command, path, found))
    definition = one({"command": command}, {"PATH": path, "HOME": str(folders)}, cwd=folders / "work")
    assert definition.command == found
    entry = {"command": command, "env": {"PATH": path}, "cwd": "work"}
    assert one(entry, {"HOME": str(folders)}, cwd=folders).command == found


def test_command_without_a_path(monkeypatch):
    """A caller without PATH gets the system's default, not the daemon's."""
    assert Path(one({"command": "sh"}, {}).command).is_absolute()
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert one({"command": "no-such-thing"}, {}).command == "no-such-thing"


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ({"command": "no-such-thing"}, "no-such-thing"),
        ({"url": "https://u:p@h:8443/a/b?k=v#f"}, "https://h:8443/a/b"),
        ({"url": "http://[::1]:1/"}, "http://[::1]:1/"),
    ],
)
def test_target(entry, target):
    """For people: where it leads, without secrets."""
    assert one(entry).target == target


@pytest.mark.parametrize(
    ("include", "exclude", "offered"),
    [
        ([], [], ["read_file", "write_file", "Read"]),
        (["read_*"], [], ["read_file"]),
        (["*"], ["write_*"], ["read_file", "Read"]),
        (["read_file", "Read"], ["Read"], ["read_file"]),
        (["[rw]*_file"], ["*"], []),
        (["READ_*"], [], []),
    ],
)
def test_offers(include, exclude, offered):
    """Globs that mind the case; exclude wins."""
    definition = one({"command": "a", "includeTools": include, "excludeTools": exclude})
    as_others = one({"command": "a", "enabledTools": include or None, "disabledTools": exclude})
    assert (as_others.include, as_others.exclude) == (definition.include, definition.exclude)
    assert [name for name in ("read_file", "write_file", "Read") if definition.offers(name)] == offered


def test_empty_list_of_enabled_tools_means_none():
    """As in Codex; a list of our own that is empty means all."""
    assert not one({"command": "a", "enabledTools": []}).offers("x")
    assert one({"command": "a", "includeTools": []}).offers("x")


def test_certificates_are_below_the_callers_folder():
    """SSL_CERT_FILE and SSL_CERT_DIR may be relative, and the daemon is elsewhere."""
    given = {"SSL_CERT_FILE": "ca.pem", "SSL_CERT_DIR": "certs:/etc/ssl"}
    server = one({"url": "https://h"}, given)
    assert server.proxy_env["SSL_CERT_FILE"] == "/work/ca.pem"
    assert server.proxy_env["SSL_CERT_DIR"] == "/work/certs:/etc/ssl"
