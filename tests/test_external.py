"""End to end with servers that nobody here wrote: two from npm, one from PyPI that needs mcp 1."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.home import Home
from tests.programs import end
from tests.prompting import output, outputs, prompt
from tests.servers import entry

pytestmark = pytest.mark.external

NpmServer = Callable[[str], list[str]]


@pytest.fixture
def three_servers(home: Home, npm_server: NpmServer, time_server: list[str]) -> Home:
    home.write_config(
        {
            "files": entry([*npm_server("server-filesystem"), "."]),
            "everything": entry(npm_server("server-everything")),
            "time": entry(time_server),
        }
    )
    (home.work / "note.txt").write_text("from the folder of the prompt")
    (home.work / "folder").mkdir()
    return home


def test_prompts_use_servers_of_others(three_servers: Home) -> None:
    """Listings come out as plain text, an image as an attachment; prompts leave one process per server."""
    user = three_servers
    calls: list[tuple[str, dict[str, Any]]] = [
        ("list_directory", {"path": "."}),
        ("read_text_file", {"path": "note.txt"}),
        ("echo", {"message": "hello"}),
        ("get-sum", {"a": 2, "b": 3}),
        ("convert_time", {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}),
        ("get-tiny-image", {}),
        ("read_text_file", {"path": "/etc/passwd"}),
    ]
    result = prompt(user, "MCP", *calls)
    listing, text, echoed, total, converted, image, refused = outputs(result)
    assert sorted(listing.splitlines()) == ["[DIR] folder", "[FILE] note.txt"]
    assert text == "from the folder of the prompt"
    assert echoed == "Echo: hello"
    assert "5" in total
    assert json.loads(converted)["time_difference"] == "+9.0h"
    assert image.splitlines()[0] == "Here's the image you requested:"
    assert '"type": "image/png"' in result.stdout
    assert refused.startswith("Error: ")
    assert result.stderr == ""
    first = servers(user)
    assert len(first) == 3
    prompt(user, "MCP", *calls[:5])
    assert servers(user) == first


def test_resource_and_prompt_of_a_server_of_others(three_servers: Home) -> None:
    """A document of server-everything is a fragment, its prompt a template with what was given filled in."""
    document = "mcp:everything/demo://resource/static/document/features.md"
    words = ["-f", document, "-t", "mcp:everything/args-prompt?city=Paris"]
    seen = json.loads(three_servers.run_llm("-m", "echo", *words).stdout)["prompt"]
    assert seen.startswith("# Everything Server")
    assert seen.endswith("What's weather in Paris?")


def servers(home: Home) -> set[int]:
    """Pids of what the daemon has started."""
    (daemon,) = [one for one in home.processes() if "llm_tools_mcp.daemon" in one.cmdline()]
    return {child.pid for child in daemon.children()}


# The server listens on every interface, on a port given beforehand: here on this machine only, on a free one.
ON_LOOPBACK = (
    "data:text/javascript,"
    'import net from "node:net"; const listen = net.Server.prototype.listen;'
    "net.Server.prototype.listen = function () {"
    ' return listen.call(this, 0, "127.0.0.1", () => console.log(this.address().port)); }'
)


@pytest.fixture
def npm_url(npm_server: NpmServer) -> Iterator[Callable[[str, str], str]]:
    """Starts server-everything behind http; given its name of the transport and the path, returns the url."""
    started: list[subprocess.Popen[str]] = []

    def start(transport: str, path: str) -> str:
        node, script = npm_server("server-everything")
        process = subprocess.Popen(
            [node, f"--import={ON_LOOPBACK}", script, transport],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        started.append(process)
        assert process.stdout
        port = next(line.strip() for line in process.stdout if line.strip().isdigit())
        return f"http://127.0.0.1:{port}/{path}"

    yield start
    for process in started:
        end(process)
        if process.stdout:
            process.stdout.close()


@pytest.mark.parametrize(("transport", "path"), [("streamableHttp", "mcp"), ("sse", "sse")])
def test_npm_server_by_url(home: Home, npm_url: Callable[[str, str], str], transport: str, path: str) -> None:
    """A node server behind streamable http or sse is used by its URL alone."""
    toolbox = f'MCP("{npm_url(transport, path)}")'
    assert output(prompt(home, toolbox, ("echo", {"message": "over the wire"}))) == "Echo: over the wire"
