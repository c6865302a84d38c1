"""Async models call tools concurrently and can be cancelled; sync models work inside a running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import llm
import pytest

from llm_tools_mcp import MCP
from tests.home import Home, living_in
from tests.prompting import calling, output, outputs, result_of
from tests.servers import entry, everything_server
from tests.waiting import SOON, wait_until, wait_until_async


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home in which this process lives; its server logs calls and cancellations."""
    home = Home(tmp_path_factory.mktemp("async") / "home")
    logs = {"CALL_LOG": str(home.work / "calls"), "CANCEL_LOG": str(home.work / "cancelled")}
    home.write_config({"everything": entry(everything_server(), env=logs)})
    with living_in(home):
        yield home
    home.close()


def lines(home: Home, log: str) -> int:
    path = home.work / log
    return len(path.read_text().splitlines()) if path.exists() else 0


async def results_of_async(*calls: tuple[str, dict[str, Any]]) -> list[llm.ToolResult]:
    chain = llm.get_async_model("echo").chain(calling(*calls), tools=[MCP()])
    await chain.text()
    return list(chain._responses[-1].prompt.tool_results)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 2 * SOON))


def test_calls_of_one_turn_run_concurrently(user: Home) -> None:
    """Eight calls are all under way before one has ended, and come back in order, not as they end."""
    calls_before = lines(user, "calls")
    files = [user.work / f"file-{number}" for number in range(8)]

    async def ask() -> list[str]:
        prompt = asyncio.ensure_future(results_of_async(*(("hold", {"until": str(file)}) for file in files)))
        await wait_until_async(lambda: lines(user, "calls") == calls_before + len(files))
        for file in reversed(files):
            file.touch()
        return [str(result.output) for result in await prompt]

    assert run(ask()) == [f"saw {file.name}" for file in files]


def test_results_are_those_of_sync_models(user: Home) -> None:
    """Text, attachments and errors reach an async model as they reach a sync one."""
    text, image, failed = run(
        results_of_async(("many_texts", {}), ("image", {}), ("fail", {"message": "oh no"}))
    )
    assert text.output == "one\ntwo\nthree"
    assert image.attachments[0].type == "image/png"
    assert failed.output == "Error: oh no"
    assert failed.exception is not None


def test_cancelling_a_prompt_cancels_its_calls(user: Home) -> None:
    """Each call that was running is cancelled at the server."""
    calls_before, cancelled_before = lines(user, "calls"), lines(user, "cancelled")

    async def cancel() -> None:
        prompt = asyncio.ensure_future(results_of_async(*[("sleep", {"seconds": 1000})] * 3))
        await wait_until_async(lambda: lines(user, "calls") == calls_before + 3)
        prompt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await prompt

    run(cancel())
    wait_until(lambda: lines(user, "cancelled") == cancelled_before + 3)


def test_one_toolbox_serves_several_loops(user: Home) -> None:
    """A toolbox that is kept can be used in one event loop after the other."""
    toolbox = MCP(tools="echo")

    async def ask(text: str) -> str:
        chain = llm.get_async_model("echo").chain(calling(("echo", {"text": text})), tools=[toolbox])
        return await chain.text()

    assert [output(run(ask(text))) for text in ("one", "two")] == ["one", "two"]


def test_sync_model_works_inside_a_running_loop(user: Home) -> None:
    """In a notebook a loop runs around everything: a synchronous model's tools work there."""

    async def cell() -> str:
        return str(result_of(MCP(), "echo", text="from a notebook").output)

    assert run(cell()) == "from a notebook"


def test_async_model_of_the_command(user: Home) -> None:
    """`llm --async` calls tools, too."""
    calls = calling(("echo", {"text": "one"}), ("fail", {"message": "two"}))
    result = user.run_llm("-m", "echo", "--async", "-T", "MCP", calls)
    assert outputs(result) == ["one", "Error: two"]
    assert result.stderr == ""
