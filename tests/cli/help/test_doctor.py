"""doctor: what is wrong, and what to type about it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from llm_tools_mcp.cli.help.doctor import surroundings
from llm_tools_mcp.cli.help.doctor.configuration import look_at_config
from llm_tools_mcp.cli.help.doctor.finding import Finding
from tests.daemon.live import variant
from tests.daemon.test_handover import NEWER, Installation
from tests.home import Home, living_in
from tests.servers import entry, faulty_server, naming_server, scripted_server


def findings(home: Home, *words: str, code: int, **options: Any) -> dict[str, list[str]]:
    """Texts by level, and what to type."""
    done = home.run_cli("doctor", "--json", *words, check=False, **options)
    assert done.code == code, done
    return sorted_by_level(Finding(**finding) for finding in json.loads(done.stdout))


def of_config(home: Home, *, connect: bool = False) -> dict[str, list[str]]:
    """The same of mcp.json alone, in this process: the command asks `llm`, for a second each time."""
    with living_in(home):
        return sorted_by_level(look_at_config(None, connect=connect))


def sorted_by_level(findings: Iterable[Finding]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"ok": [], "note": [], "bad": [], "repair": []}
    for finding in findings:
        found[finding.level].append(finding.text)
        found["repair"] += finding.repair.splitlines()
    return found


def told(found: dict[str, list[str]]) -> str:
    return "\n".join(line for texts in found.values() for line in texts)


def test_all_is_well(home: Home) -> None:
    """Exit code 0: versions, daemon, config, and each server with the number of its tools; which of them
    reach models in another form, and what is lost of them.
    """
    odd = scripted_server(
        home.work / "odd.json",
        {"name": "bare", "inputSchema": {"type": "object"}},
        {"name": "lost", "inputSchema": {"properties": {"$top": {}}, "required": ["$top"]}},
        {"name": "fine"},
    )
    home.write_config({"every": entry(faulty_server("fine")), "odd": entry(odd)}).chmod(0o600)
    found = findings(home, code=0)
    assert (
        "odd: 2 of its tools reach models in another form (bare, lost), so that every provider takes them"
        in (found["ok"])
    )
    (lost,) = [text for text in found["note"] if "cannot be used whole" in text]
    assert lost.startswith("odd: lost cannot be used whole by models: providers refuse the name")
    assert any(text.startswith("every: connected, ") for text in found["ok"])
    assert any("llm-tools-mcp 1" in text for text in found["ok"])
    assert found["bad"] == []
    with living_in(home):
        (daemon,) = surroundings._daemon()
    assert (daemon.level, "the daemon answers" in daemon.text) == ("ok", True)


def test_faults_are_named_with_what_to_type(home: Home) -> None:
    """A missing command, an unset variable, a misspelt key, a file that others may write: exit code 1."""
    home.write_config(
        {
            "gone": {"command": "uvx-that-is-not-there"},
            "unset": {"command": "sh", "env": {"A": "${NOT_SET_ANYWHERE}"}},
            "guard": {**entry(faulty_server("fine")), "includeTool": ["x"]},
            "key": {**entry(faulty_server("fine")), "tmout": 5, "my note": 1},
        }
    ).chmod(0o660)
    done = home.run_cli("doctor", check=False)
    assert done.code == 1
    lines = done.stdout.splitlines()
    assert any(
        line.startswith("✗ server 'gone': its command 'uvx-that-is-not-there' is not on") for line in lines
    )
    assert any(line.startswith("✗ ") and "NOT_SET_ANYWHERE" in line for line in lines)
    assert any(line.startswith("✗ ") and "did you mean 'includeTools'?" in line for line in lines)
    assert any(line.startswith("! ") and "did you mean 'timeout'?" in line for line in lines)
    assert any(line.startswith("! ") and "can be written by its group" in line for line in lines)
    assert f"    → chmod g-w {home.config}" in lines
    assert "    → export NOT_SET_ANYWHERE=…" in lines
    assert "    → llm mcp set key timeout=… --unset tmout" in lines
    assert "    → llm mcp set key --unset 'my note'" in lines


def test_all_of_an_entry_is_told_at_once(home: Home) -> None:
    """What cannot work, and beside it what means nothing to a server: also where the command is missing."""
    home.write_config(
        {
            "a": {"command": "sh", "args": ["$HOME"], "env": {"A": "${NOT_SET_ANYWHERE}", "B": "~/x"}},
            "b": {"command": "gone-from-here", "env": {"B": "YOUR_API_KEY"}},
            "c": {
                "command": "sh",
                "includeTool": ["x"],
                "timeout": "soon",
                "args": "no list",
                "env": {"A": "~/x"},
            },
            "d": ["no entry"],
            "e": {"command": "$HOME/x", "env": {"A": "{{TOKEN}}"}},
            "f": {"command": "/bin/sh -c x"},
        }
    ).chmod(0o600)
    text = told(of_config(home))
    for expected in (
        "NOT_SET_ANYWHERE is not set",
        "server 'a': the variable in key 'args[0]'",
        "server 'a': the ~ in key 'env.B'",
        "'gone-from-here' is not on the PATH",
        "server 'b': key 'env.B' holds what stands on a page",
        "key 'includeTool': is unknown",
        "key 'timeout': Input should be",
        "key 'args': Input should be a valid array",
        "server 'c': the ~ in key 'env.A'",
        "server 'd': Input should be an object",
        "server 'e': the variable in key 'command'",
        "server 'e': key 'env.A' holds what stands on a page",
        "there is no file /bin/sh -c x",
        "write the program alone into 'command', and what follows it into 'args'",
    ):
        assert expected in text


def test_what_is_missing_of_a_server_that_connects(home: Home) -> None:
    """Tools that break the protocol are named, with the reason, and a list that failed; by `list`, too."""
    silent = """
    def handle(self, message):
        if message["method"] == "tools/list":
            return self.refuse(message, "the index is broken")
        return super().handle(message)
    """
    odd = scripted_server(home.work / "odd.json", {"name": "fine"}, {"name": 7})
    home.write_config({"odd": entry(odd), "silent": variant(silent)}).chmod(0o600)
    found = of_config(home, connect=True)
    assert "odd: connected, 1 tool" in found["ok"]
    left_out = "left out of its tools: '7' (name: Input should be a valid string)"
    assert f"odd: {left_out}" in found["note"]
    assert any(text.startswith("silent: ") and "the index is broken" in text for text in found["bad"])
    rows = {row["name"]: row for row in json.loads(home.run_cli("list", "--json").stdout)["servers"]}
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert rows["odd"]["error"] == left_out
    assert rows["silent"]["error"].startswith("connected, but it did not list its tools: ")
    assert "\nodd: left out of its tools: '7'" in home.run_cli("list").stdout


def test_values_that_mean_nothing_to_a_server(home: Home) -> None:
    """What a shell would replace, what a page left open, milliseconds; no value is shown."""
    home.write_config(
        {
            "a": {
                "command": "sh",
                "args": ["$HOME/x", "--key=$API_KEY", "-c", "echo $HOME", "p$ssw0rd"],
                "env": {"A": "%APPDATA%", "B": "YOUR_API_KEY", "C": "$s3cr3t", "D": "~/x"},
                "timeout": 60000,
            },
            "b": {"url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "Bearer <your-token>"}},
        }
    )
    shown = told(of_config(home))
    found = [line for line in shown.splitlines() if "'a'" in line or "'b'" in line]
    for key in ("args[0]", "args[1]", "env.A"):
        assert f"the variable in key '{key}' is passed as it stands" in shown
    for key in ("env.B", "headers.Authorization"):
        assert f"key '{key}' holds what stands on a page" in shown
    assert "the ~ in key 'env.D'" in shown
    assert "'timeout' is 60000 seconds (16.7 hours)" in shown
    assert "if milliseconds were meant, write 60" in shown
    assert len(found) == 7
    assert "s3cr3t" not in shown


def test_config_that_everyone_can_write(home: Home) -> None:
    """It is refused: what to type is what makes it acceptable."""
    home.write_config({}).chmod(0o666)
    assert of_config(home)["repair"] == [f"chmod o-w {home.config}"]


def test_broken_config(home: Home) -> None:
    """One finding, with the place."""
    home.config.write_text("{")
    assert any("not valid JSON" in text for text in of_config(home)["bad"])


def test_no_config(home: Home) -> None:
    """Nothing is wrong yet: how to begin."""
    found = of_config(home)
    assert found["bad"] == []
    assert any("there is no config" in text for text in found["note"])
    assert found["repair"][0].startswith("llm mcp add NAME")


def test_doctor_shows_no_secret(home: Home) -> None:
    """Neither of the config nor of the environment."""
    home.write_config(
        {
            "web": {
                "url": "http://u:s3cr3t@127.0.0.1:9/mcp?k=s3cr3t",
                "headers": {"X": "s3cr3t"},
                "s3cr3tKey": "s3cr3t",
            }
        }
    )
    assert "s3cr3t" not in told(of_config(home, connect=True)).replace("s3cr3tKey", "")


def test_other_plugins_with_the_same_toolbox(home: Home) -> None:
    """The toolbox of one would be renamed by llm, which is asked itself: the plugin need not be known."""
    install_plugin(home, "llm-mcp-client", "")
    install_plugin(
        home,
        "unheard_of",
        """
        import llm

        class MCP(llm.Toolbox):
            pass

        @llm.hookimpl
        def register_tools(register):
            register(MCP)
        """,
    )
    found = findings(home, **from_site(home), code=1)
    assert any("llm-mcp-client also has a toolbox called MCP: one" in text for text in found["bad"])
    assert any("one of them is MCP_1" in text for text in found["bad"])
    assert {"llm uninstall llm-mcp-client", "llm uninstall unheard_of"} <= set(found["repair"])


def test_llm_that_does_not_work(home: Home) -> None:
    """A plugin that cannot be loaded breaks every prompt: the last line of its traceback."""
    install_plugin(home, "unloadable", "raise RuntimeError('boom')")
    found = findings(home, **from_site(home), code=1)["bad"]
    assert any("llm does not work in this environment: RuntimeError: boom" in text for text in found)


def test_plugins_that_are_not_loaded(home: Home) -> None:
    """LLM_LOAD_PLUGINS may leave this one out."""
    found = findings(home, env={"LLM_LOAD_PLUGINS": "llm-echo"}, code=0)["note"]
    assert any("LLM_LOAD_PLUGINS is set and leaves out" in text for text in found)


def test_odd_configs_break_nothing_and_are_named(home: Home) -> None:
    """Keys that stand twice or beside, keys of the other transport, and names that stand in the way."""
    home.config.write_text(
        """{"servers": {}, "mcpServers": {"dup": {"command": "gone-1"}, "dup": {"command": "sh"},
        "": {"command": "sh"}, "-x": {"command": "sh"}, "evil\\u001b[2J\\nname": {"command": "sh"},
        "web": {"url": "http://127.0.0.1:9/", "instances": 2}}}"""
    )
    found = of_config(home)
    assert any("the key 'dup' appears twice" in text for text in found["bad"])
    for expected in (
        "the key 'servers', as VS Code writes it, is not read",
        "the server name '' is empty",
        "the server name '-x' begins with -",
        "holds control characters",
        "server 'web': the key 'instances' is for a command alone",
    ):
        assert any(expected in text for text in found["note"]), expected
    assert "\x1b" not in told(found)


def test_config_of_vs_code(home: Home) -> None:
    """Its spelling is known, and what to do about it."""
    home.config.write_text('{"servers": {"a": {"command": "sh"}}}')
    assert any("how VS Code spells it: rename that key" in text for text in of_config(home)["bad"])
    assert home.run_cli("import", str(home.config), "--yes").code == 0
    assert any("the key 'servers'" in text for text in of_config(home)["note"])


def test_commands_that_cannot_run(home: Home) -> None:
    """Not there, not executable, not on the PATH but in a usual place; without connecting."""
    tool = home.folder / ".local" / "bin" / "odd-tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    plain = home.folder / "plain"
    plain.touch()
    home.write_config(
        {
            "absent": {"command": "/nowhere/at/all"},
            "plain": {"command": str(plain)},
            "elsewhere": {"command": "odd-tool"},
            "uv": {"command": "uvx", "env": {"PATH": "/nowhere"}},
        }
    )
    found = of_config(home)
    texts = "\n".join(found["bad"])
    assert "server 'absent': there is no file /nowhere/at/all" in texts
    assert f"it is {tool}" in texts
    assert "'uvx' is not on the PATH" in texts
    assert {f"chmod +x {plain}", f"export PATH={tool.parent}:$PATH"} <= set(found["repair"])


def test_folder_that_others_can_write(home: Home) -> None:
    """They could replace mcp.json."""
    home.config_folder.chmod(0o777)
    with living_in(home):
        (found,) = surroundings._folder()
    assert (found.level, "could replace mcp.json" in found.text) == ("note", True)


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no XDG_RUNTIME_DIR")
def test_runtime_folder_that_is_not_used(home: Home) -> None:
    """Why: it is too long for a socket, or not the user's."""
    long = home.runtime / ("r" * 120)
    long.mkdir()
    for folder, why in ((long, "is too long for a socket"), ("run", "is not a folder of yours")):
        home.env |= {"XDG_RUNTIME_DIR": str(folder), "LLM_MCP_SOCKET": ""}
        with living_in(home):
            found = next(surroundings._socket())
        assert found.text.startswith(f"XDG_RUNTIME_DIR={folder} {why} and is ignored; the socket is ")


def test_few_open_files(home: Home) -> None:
    """Every server takes several."""
    code = "from llm_tools_mcp.cli.help.doctor import surroundings; print(*surroundings._limits())"
    done = home.run("sh", "-c", f"ulimit -n 200; exec {sys.executable} -c '{code}'")
    assert "only 200 files may be open at a time" in done.stdout


def test_daemon_of_another_version(home: Home, tmp_path: Path) -> None:
    """One that was upgraded on disk goes over by itself; one of another environment does not."""
    installation = Installation(tmp_path / "site")
    home.run_cli("start", env=installation.env)
    installation.upgrade(NEWER)
    assert f"{NEWER} is installed, and takes over" in of_daemon(home)
    home.run_cli("stop")
    home.run_cli("start", env=installation.env)
    assert f"runs version {NEWER} from another environment" in of_daemon(home)


def of_daemon(home: Home) -> str:
    """The note about it."""
    with living_in(home):
        answers, note = surroundings._daemon()
    assert (answers.level, note.level) == ("ok", "note")
    return note.text


def install_plugin(home: Home, name: str, source: str) -> None:
    """A distribution with an llm plugin, in the folder that `from_site` adds."""
    module = name.replace("-", "_")
    info = home.folder / "site" / f"{module}-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text(f"[llm]\n{name} = {module}\n")
    (info.parent / f"{module}.py").write_text(dedent(source))


def from_site(home: Home) -> dict[str, Any]:
    return {"env": {"PYTHONPATH": f"{home.folder / 'site'}:{home.env.get('PYTHONPATH', '')}"}}


def test_what_is_left_of_before_and_in_the_way(home: Home) -> None:
    """Log files of 0.4 are named with what removes them; a file where a folder belongs, and no empty log."""
    logs = home.config_folder / "logs"
    logs.mkdir()
    old = logs / "git-0b8e4f6e-7c1d-4f0e-9a53-0123456789ab-2025-07-01-10-20-30.log"
    old.touch()
    (logs / "git.log").touch()
    (home.folder / "cache").mkdir()
    (home.folder / "cache" / "llm-tools-mcp").touch()
    home.write_config(
        {
            "typo": {**entry(naming_server("fine")), "includeTools": ["fien"]},
            "git": {"command": "/bin/false"},
        }
    )
    found = of_config(home, connect=True)
    assert (
        "typo: connected, but what includeTools and excludeTools leave of its tools is none" in found["bad"]
    )
    assert "llm mcp logs git" not in found["repair"]
    assert "llm mcp get git" in found["repair"]
    with living_in(home):
        in_the_way, left = surroundings._kept()
    assert "is a file, and the cached lists belong into a folder there" in in_the_way.text
    assert "1 log files of llm-tools-mcp 0.4 are left" in left.text
    home.run("sh", "-c", left.repair)
    assert not old.exists()
    assert (logs / "git.log").exists()
