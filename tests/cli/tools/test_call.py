"""call: a tool from the shell. Text on stdout, everything else on stderr or in files."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import run_in_terminal
from tests.home import BIN, Home
from tests.servers import entry, everything_server, scripted_server
from tests.waiting import SOON, wait_until

PNG = b"\x89PNG\r\n"


def test_text_goes_to_stdout(served: Home) -> None:
    """And nothing else does."""
    done = served.run_here("call", "every", "echo", "text=hello")
    assert (done.stdout, done.stderr) == ("hello\n", "")


def test_values_have_the_types_of_the_schema(served: Home) -> None:
    """`a=1` is a number where the tool asks for one, `text=1` a text where it asks for that."""
    assert served.run_here("call", "every", "add", "a=1", "b=-2").stdout == "-1\n"
    assert served.run_here("call", "every", "echo", "text=1").stdout == "1\n"


def test_value_may_hold_anything(served: Home) -> None:
    """An equals sign, quotes, nothing at all; @@ stands for a plain @ in front."""
    assert served.run_here("call", "every", "echo", "text=").stdout == ""
    for text in ("a=b", '"', "-x", "ü 世界", "a\nb"):
        assert served.run_here("call", "every", "echo", f"text={text}").stdout == f"{text}\n"
    assert served.run_here("call", "every", "echo", "text=@@me").stdout == "@me\n"


def test_value_from_a_file_and_from_stdin(served: Home) -> None:
    """text=@FILE and text=@- are contents."""
    (served.work / "note.txt").write_text("from a file")
    assert served.run_here("call", "every", "echo", "text=@note.txt").stdout == "from a file\n"
    assert served.run_here("call", "every", "echo", "text=@-", input="from stdin").stdout == "from stdin\n"
    refused = served.run_here("call", "every", "echo", "text=@nothing.txt", check=False)
    assert (refused.code, "nothing.txt cannot be read" in refused.stderr) == (2, True)


def test_arguments_as_json(served: Home) -> None:
    """--json-args takes an object, a file or stdin; KEY=VALUE adds to it."""
    arguments = json.dumps({"a": 2, "b": 3})
    assert served.run_here("call", "every", "add", "--json-args", arguments).stdout == "5\n"
    assert served.run_here("call", "every", "add", "--json-args", "-", input=arguments).stdout == "5\n"
    (served.work / "args.json").write_text(arguments)
    assert served.run_here("call", "every", "add", "--json-args", "@args.json").stdout == "5\n"
    assert served.run_here("call", "every", "add", "--json-args", '{"a": 2}', "b=5").stdout == "7\n"
    for wrong in ("{", "[1]", '{"a": NaN}', "[" * 50_000):
        assert served.run_here("call", "every", "add", "--json-args", wrong, check=False).code == 2


def test_mistakes_are_explained_from_the_schema(served: Home) -> None:
    """Missing, unknown and mistyped arguments: what is wrong, how it is called; exit code 2, no call."""
    missing = served.run_here("call", "every", "add", "a=1", check=False)
    assert (missing.code, missing.stdout) == (2, "")
    assert "b=… is missing: integer" in missing.stderr
    assert "Usage: llm mcp call every add a=INTEGER b=INTEGER" in missing.stderr
    mistyped = served.run_here("call", "every", "add", "a=one", "b=2", check=False)
    assert "a: 'one' is not an integer" in mistyped.stderr
    unknown = served.run_here("call", "every", "echo", "txt=x", check=False)
    assert "there is no argument 'txt'; did you mean 'text'?" in unknown.stderr
    choice = served.run_here("call", "every", "log", "level=warn", "text=x", check=False)
    assert "did you mean 'warning'?" in choice.stderr
    assert (
        "'x' is not of the form KEY=VALUE"
        in served.run_here("call", "every", "echo", "x", check=False).stderr
    )


def test_bytes_that_are_no_text_are_refused(served: Home) -> None:
    """A shell passes on anything; JSON and the wire do not."""
    for text in ("text=\udcff", "text=@-"):
        command = ["sh", "-c", 'printf "\\377" | "$@"', "sh", BIN / "llm-mcp", "call", "every", "echo", text]
        refused = subprocess.run(
            command, env=served.env, cwd=served.work, capture_output=True, text=True, check=False
        )
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == "Error: 'text' is not UTF-8 text\n"


def test_near_misses_are_suggested(served: Home) -> None:
    """For servers and for tools."""
    assert "did you mean 'every'?" in served.run_here("call", "evry", "echo", check=False).stderr
    refused = served.run_here("call", "\udcff", "echo", check=False)
    assert (refused.code, refused.stderr) == (1, "Error: what was typed is no UTF-8 text\n")
    assert "did you mean 'structured'?" in served.run_here("call", "every", "structurd", check=False).stderr


def test_disabled_server_is_called_so(home: Home) -> None:
    """It is in the config: what is said is how to use it again."""
    home.write_config({"srv": {"command": "x", "disabled": True}})
    for words in (["call", "srv", "pid"], ["tools", "srv"]):
        refused = home.run_here(*words, check=False)
        assert refused.code == 1
        assert refused.stderr == "Error: 'srv' is disabled; to enable it: llm mcp enable srv\n"


def test_error_of_the_tool_is_exit_code_1(served: Home) -> None:
    """Its text on stderr, as the server wrote it."""
    failed = served.run_here("call", "every", "fail", "message=no such thing", check=False)
    assert (failed.code, failed.stdout, failed.stderr) == (1, "", "Error: no such thing\n")
    told = served.run_here("call", "every", "fail", "message=no", "--json", check=False)
    assert (told.code, json.loads(told.stdout)["is_error"]) == (1, True)


def test_server_that_cannot_start(home: Home) -> None:
    """The reason, and where to look: its log only where it has said something."""
    wordy = {"command": "sh", "args": ["-c", "echo no license >&2; exit 3"]}
    home.write_config(
        {"broken": {"command": "no-such-command"}, "brief": {"command": "true"}, "wordy": wordy}
    )
    said = {name: home.run_here("call", name, "x", check=False) for name in ("broken", "brief", "wordy")}
    assert {failed.code for failed in said.values()} == {1}
    assert "'broken' cannot be used: command 'no-such-command' was not found" in said["broken"].stderr
    assert "'brief' cannot be used: it exited with code 0" in said["brief"].stderr
    assert "llm mcp logs" not in said["broken"].stderr + said["brief"].stderr
    assert (
        "exited with code 3; its last lines were: no license\nmore: llm mcp logs wordy"
        in said["wordy"].stderr
    )


def test_all_parts_of_a_result(served: Home) -> None:
    """Texts, links and structured content are text; the same as JSON."""
    assert served.run_here("call", "every", "many_texts").stdout == "one\ntwo\nthree\n"
    assert served.run_here("call", "every", "structured").stdout.startswith("21.5 degrees\n")
    assert json.loads(served.run_here("call", "every", "structured_only").stdout)["unit"] == "°C"
    assert "file:///report.pdf" in served.run_here("call", "every", "link").stdout
    assert served.run_here("call", "every", "nothing").stdout == ""
    told = json.loads(served.run_here("call", "every", "structured", "--json").stdout)
    assert told["structured_content"] == {"temperature": 21.5, "unit": "°C"}


def test_media_is_saved_or_named(served: Home) -> None:
    """Without --output it is named on stderr; with it, it is a file, in a folder under the tool's name."""
    named = served.run_here("call", "every", "image")
    assert named.stdout == "one red pixel\n"
    assert named.stderr.startswith("[image/png, ")
    served.run_here("call", "every", "image", "--output", "pixel.png")
    assert (served.work / "pixel.png").read_bytes().startswith(PNG)
    (served.work / "media").mkdir()
    served.run_here("call", "every", "image", "--output", "media")
    assert (served.work / "media" / "image-1.png").read_bytes().startswith(PNG)
    served.run_here("call", "every", "blob", "--output", "bytes")
    assert (served.work / "bytes").read_bytes() == bytes(range(256))
    refused = served.run_here("call", "every", "image", "--output", "media/image-1.png/x", check=False)
    assert (refused.code, "there is no folder 'media/image-1.png'" in refused.stderr) == (2, True)


def calls_of(home: Home) -> int:
    status = json.loads(home.run_here("status", "--json", check=False).stdout)
    return sum(server["calls"] for server in status["servers"])


@pytest.mark.parametrize("place", ["no/such/folder.png", "nowhere/"])
def test_place_to_save_is_checked_before_the_call(served: Home, place: str) -> None:
    """A call whose result has no place to go is not made: it may not be one to repeat."""
    before = calls_of(served)
    refused = served.run_here("call", "every", "image", "--output", place, check=False)
    assert (refused.code, "there is no folder" in refused.stderr) == (2, True)
    assert not (served.work / "nowhere").exists()
    assert calls_of(served) == before


def test_file_without_an_end_is_refused(served: Home) -> None:
    """A value is read up to what a call can take at all."""
    refused = served.run_here("call", "every", "echo", "text=@/dev/zero", check=False)
    assert (refused.code, "/dev/zero is larger than 128 MiB" in refused.stderr) == (2, True)


def test_text_is_saved_where_there_is_nothing_else(served: Home) -> None:
    """With --output it is in the file, or in the folder under the tool's name, instead of on stdout."""
    done = served.run_here("call", "every", "echo", "text=hello", "--output", "hello.txt")
    assert (done.stdout, done.stderr) == ("", "[text, 5 bytes: saved as hello.txt]\n")
    assert (served.work / "hello.txt").read_text() == "hello"
    served.run_here("call", "every", "echo", "text=hello", "--output", "folder")
    assert (served.work / "folder" / "echo-1.txt").read_text() == "hello"


def test_text_is_unchanged_in_a_pipe_and_harmless_on_a_terminal(served: Home) -> None:
    """What a tool returns may drive a terminal; a pipe gets it as it came."""
    text = "a\x1b[2Jb\x1b]0;title\x07c"
    assert served.run_here("call", "every", "echo", f"text={text}").stdout == f"{text}\n"
    assert run_in_terminal(served, "call", "every", "echo", f"text={text}").raw == "abc\r\n"


def test_ctrl_c_cancels_the_call_at_the_server(home: Home, tmp_path: Path) -> None:
    """At once, with a shell's exit code and no traceback."""
    log = tmp_path / "cancelled"
    called = tmp_path / "called"
    env = {"CALL_LOG": str(called), "CANCEL_LOG": str(log)}
    home.write_config({"every": entry(everything_server(), env=env)})
    home.run_here("tools")
    argv = [BIN / "llm-mcp", "call", "every", "sleep", "seconds=1000"]
    with subprocess.Popen(argv, env=home.env, cwd=home.work, stderr=subprocess.PIPE, text=True) as call:
        wait_until(called.exists)
        call.send_signal(signal.SIGINT)
        _, stderr = call.communicate(timeout=SOON)
    assert (call.returncode, stderr.strip()) == (130, "")
    wait_until(lambda: log.exists() and "sleep" in log.read_text())


def test_closed_pipe_is_no_traceback(served: Home) -> None:
    """`llm-mcp call … | head -1` ends quietly."""
    command = f"{BIN}/llm-mcp call every big size=3000000 | head -c 10"
    done = served.run("sh", "-c", command)
    assert (done.stdout, done.stderr) == ("x" * 10, "")


def test_closed_streams_are_no_traceback(served: Home) -> None:
    """Whoever starts us may have closed stdin or stdout."""
    done = served.run("sh", "-c", f"{BIN}/llm-mcp call every echo text=@- <&-")
    assert (done.stdout, done.stderr) == ("", "")
    assert served.run("sh", "-c", f"{BIN}/llm-mcp call every echo text=x >&-").stderr == ""


def test_other_ways_to_name_a_tool(served: Home, serve_http: Any) -> None:
    """SERVER.TOOL, a URL, a command; the same for `tools`."""
    assert served.run_here("call", "every.echo", "text=hi").stdout == "hi\n"
    assert "no tool 'ecko'; did you mean 'echo'?" in served.run_here("call", "every.ecko", check=False).stderr
    url = serve_http("http").url
    assert served.run_here("call", url, "echo", "text=there").stdout == "there\n"
    assert "echo" in served.run_here("tools", url).stdout
    line = shlex.join(everything_server())
    assert served.run_here("call", "--command", line, "echo", "text=you").stdout == "you\n"
    assert "text  (string)" in served.run_here("tools", "--command", line, "echo").stdout
    missing = served.run_here("call", "every", check=False)
    assert (missing.code, "Missing argument 'TOOL'" in missing.stderr) == (2, True)
    assert served.run_here("call", "--command", "'", "echo", check=False).code == 2


def test_errors_are_objects_for_who_asks_for_json(served: Home) -> None:
    """On stdout, whatever it was; the words for people are on stderr all the same."""
    for words, code, said in (
        (["every", "nothing_like_it"], 1, "has no tool"),
        (["nobody", "x"], 1, "no MCP server is called"),
        (["every", "add", "a=x"], 2, "b=… is missing"),
        (["every"], 2, "Missing argument"),
    ):
        failed = served.run_here("call", *words, "--json", check=False)
        told = json.loads(failed.stdout)
        assert (failed.code, told["is_error"], told["content"]) == (code, True, [])
        assert said in told["error"]
        assert said in failed.stderr


def test_stdout_as_the_place_to_save(served: Home) -> None:
    """Bytes as they are, so that they can be piped; a text without the line end of a terminal."""
    done = subprocess.run(
        [BIN / "llm-mcp", "call", "every", "blob", "--output", "-"],
        env=served.env, cwd=served.work, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == bytes(range(256))
    assert served.run_here("call", "every", "echo", "text=x", "--output", "-").stdout == "x"


def test_json_as_a_word_is_told_where_it_belongs(served: Home) -> None:
    """Other programs take it so."""
    refused = served.run_here("call", "every", "add", '{"a": 1}', check=False)
    assert refused.code == 2
    assert """given so: --json-args '{"a": 1}'""" in refused.stderr


def test_schema_in_depth(home: Home) -> None:
    """What has a default need not be given and is sent; what stands within an argument is explained."""
    edit = {"type": "object", "properties": {"oldText": {"type": "string", "description": "Old."}}}
    schema = {
        "type": "object",
        "properties": {
            "edits": {"type": "array", "items": {**edit, "required": ["oldText"]}},
            "limit": {"type": "integer", "default": 7},
        },
        "required": ["edits", "limit"],
    }
    argv = scripted_server(home.folder / "script.json", {"name": "edit", "inputSchema": schema})
    home.write_config({"s": entry(argv)})
    shown = home.run_here("tools", "s", "edit").stdout
    assert "      edits[].oldText  (string)  Old.\n" in shown
    assert "limit  (integer, optional, default 7)" in shown
    refused = home.run_here("call", "s", "edit", check=False)
    assert refused.code == 2
    assert "limit=… is missing" not in refused.stderr
    assert "edits[].oldText: string" in refused.stderr
