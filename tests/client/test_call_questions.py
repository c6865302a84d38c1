"""Questions on their way from a server through a real daemon to a client, and the answers on theirs."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.client.call_questions import Withdrawal
from llm_tools_mcp.client.caller import make_call
from llm_tools_mcp.client.channel import AsyncDaemonClient
from tests.daemon.running import Running, running
from tests.home import Home
from tests.servers import asking_server, entry
from tests.waiting import wait_until

SERVERS = {"asker": entry(asking_server())}
FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}


class Person:
    """Accepts with a name, or waits until the question is withdrawn."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.asked: list[v1.Question] = []
        self.withdrawn: list[str] = []
        self.notes: list[str] = []

    def ask(self, question: v1.Question, withdrawal: Withdrawal) -> v1.AnswerRequest:
        self.asked.append(question)
        if self.name:
            content = json.dumps({"name": self.name})
            return v1.AnswerRequest(action=v1.AnswerRequest.ACCEPT, content=content)
        wait_until(lambda: withdrawal.reason)
        self.withdrawn.append(withdrawal.reason)
        return v1.AnswerRequest(action=v1.AnswerRequest.ACCEPT)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def daemon(home: Home) -> Iterator[Running]:
    with running(home) as made:
        yield made


def request(daemon: Running, *steps: dict[str, Any]) -> v1.CallToolRequest:
    return make_call(daemon.caller(SERVERS), "asker", "ask", {"steps": list(steps)})


def call(daemon: Running, person: Person | None, *steps: dict[str, Any]) -> Any:
    result = daemon.client.call(request(daemon, *steps), lambda _: None, person)
    return json.loads(result.content[0].text)


def test_questions_of_calls(daemon: Running) -> None:
    """Both clients answer them; one that is withdrawn, or finds nobody, ends by itself; floods are cut."""
    person = Person("Ada")
    accepted = {"action": "accept", "content": {"name": "Ada"}}
    assert call(daemon, person, {"ask": FORM}, {"ask": FORM}) == [accepted, accepted]
    first, second = person.asked
    assert (first.server, first.subject, first.message) == ("asker", "ask", "Who?")
    assert first.id != second.id
    assert not daemon.client._answer(v1.AnswerRequest(id=first.id, action=v1.AnswerRequest.DECLINE))

    hesitant = Person()
    steps = ({"ask": FORM, "id": "q", "wait": False}, {"withdraw": "q"}, {"return": '"next"'})
    assert call(daemon, hesitant, *steps) == "next"
    assert len(hesitant.withdrawn) == len(hesitant.asked)  # 1, but where the call was over before
    assert call(daemon, None, {"ask": FORM}) == [{"action": "decline"}]
    stranger = request(daemon, {"ask": FORM})  # a client that knows no questions waits for none
    stranger.caller.can_answer = False
    assert "cancel" in daemon.client.call(stranger, lambda _: None, person).content[0].text

    async def concurrently() -> list[Any]:
        client = AsyncDaemonClient(daemon.home.socket)
        try:
            people = [Person("a"), Person("b"), Person("c")]
            calls = (client.call(request(daemon, {"ask": FORM}), lambda _: None, one) for one in people)
            return [json.loads(result.content[0].text) for result in await asyncio.gather(*calls)]
        finally:
            await client.aclose()

    assert [one[0]["content"]["name"] for one in asyncio.run(concurrently())] == ["a", "b", "c"]

    flooded = Person("x")
    heard = call(daemon, flooded, *[{"ask": FORM}] * 52)
    assert [answer["action"] for answer in heard] == ["accept"] * 50 + ["cancel"] * 2
    assert (len(flooded.asked), len(flooded.notes)) == (50, 1)
    for guess in ("", "q1", flooded.asked[0].id):
        assert not daemon.client._answer(v1.AnswerRequest(id=guess, action=v1.AnswerRequest.ACCEPT))
    with pytest.raises(grpc.RpcError, match="needs an action"):
        daemon.client._answer(v1.AnswerRequest(id="x"))


def test_daemon_that_stops_ends_open_questions(daemon: Running) -> None:
    """At once, since the answer would reach the next daemon; the person and the tool hear of it."""
    person = Person()
    heard: list[Any] = []
    asking = threading.Thread(target=lambda: heard.append(call(daemon, person, {"ask": FORM})))
    asking.start()
    wait_until(lambda: person.asked)
    daemon.process.send_signal(signal.SIGTERM)
    asking.join(20)
    assert heard == [[{"action": "cancel"}]]
    assert person.withdrawn == ["the daemon stops, and the answer would not reach the server"]
    assert daemon.process.wait(20) == 0
