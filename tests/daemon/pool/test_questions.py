"""What a server asks during a call reaches the person whose call it is, in both eras, and nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llm_tools_mcp import v1
from llm_tools_mcp.config import ServerDefinition
from llm_tools_mcp.daemon.failure import Kind
from tests.daemon.live import Live, failure_of, living, text_of, with_live
from tests.servers import asking_server, entry
from tests.waiting import wait_until_async

FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
URL = {"mode": "url", "message": "Log in.", "url": "https://example.org/x?y=1", "elicitationId": "e1"}

Answer = Callable[[v1.Question], v1.AnswerRequest]


def asker(live: Live, era: str = "legacy", **keys: Any) -> ServerDefinition:
    return live.define({"asker": entry(asking_server(era), **keys)})


def accept(**content: Any) -> v1.AnswerRequest:
    return v1.AnswerRequest(action=v1.AnswerRequest.ACCEPT, content=json.dumps(content))


class Person:
    """Answers questions with the next of `answers`, once `hurry` is set; `asked` has them all."""

    def __init__(self, *answers: v1.AnswerRequest) -> None:
        self.answers = list(answers)
        self.asked: list[v1.Question] = []
        self.told: list[str] = []
        self.hurry = asyncio.Event()
        self.hurry.set()

    async def ask(self, question: v1.Question) -> v1.AnswerRequest:
        self.asked.append(question)
        await self.hurry.wait()
        return self.answers.pop(0)

    def hear(self, event: v1.Progress | v1.LogMessage) -> None:
        if isinstance(event, v1.LogMessage):
            self.told.append(event.text)


async def call(live: Live, definition: ServerDefinition, person: Person, *steps: dict[str, Any]) -> Any:
    """What the tool heard of its steps."""
    arguments = {"steps": list(steps)}
    text = text_of(await live.pool.call(definition, "ask", arguments, person.hear, person.ask))
    return json.loads(text)


# --- both eras --------------------------------------------------------------------------------------


@with_live
async def test_answers_reach_a_server_of_the_older_eras(live: Live) -> None:
    """Accepted with content, accepted for a url, declined, cancelled; and what cannot be asked is refused."""
    decline, cancel = (
        v1.AnswerRequest(action=a) for a in (v1.AnswerRequest.DECLINE, v1.AnswerRequest.CANCEL)
    )
    person = Person(accept(name="Ada"), v1.AnswerRequest(action=v1.AnswerRequest.ACCEPT), decline, cancel)
    bad = {**URL, "url": "file:///etc/passwd"}
    steps = [{"ask": asked} for asked in (FORM, URL, FORM, FORM, bad)]
    *heard, refused = await call(live, asker(live), person, *steps)
    assert heard == [
        {"action": "accept", "content": {"name": "Ada"}},
        {"action": "accept"},
        {"action": "decline"},
        {"action": "cancel"},
    ]
    assert "only http:// and https://" in refused["error"]["message"]
    form, url, *_ = person.asked
    assert (form.message, json.loads(form.form)) == ("Who?", FORM["requestedSchema"])
    assert (url.message, url.url) == ("Log in.", URL["url"])


@with_live
async def test_input_that_a_modern_server_requires(live: Live) -> None:
    """Each round is a new request with the answers and the state to the letter; a state may come alone."""
    state = '{"b": 1,  "a": "\\u00e9 \\ud83d\\ude00"}'
    person = Person(accept(name="Ada"), v1.AnswerRequest(action=v1.AnswerRequest.DECLINE))
    rounds = await call(
        live,
        asker(live, "modern"),
        person,
        {"inputs": {"who": FORM, "where": FORM}, "state": state},
        {"state": "only"},
        {"inputs": {}, "state": "0"},
    )
    assert rounds[0].keys() == {"id"}
    assert rounds[1]["inputResponses"] == {
        "who": {"action": "accept", "content": {"name": "Ada"}},
        "where": {"action": "decline"},
    }
    assert [sent.get("requestState") for sent in rounds] == [None, state, "only", "0"]
    assert len({sent["id"] for sent in rounds}) == 4


@with_live
async def test_modern_server_that_asks_for_ever(live: Live) -> None:
    """After ten rounds the call fails; so it does where something else than an answer is wanted."""
    person = Person(*[accept()] * 20)
    failure = await failure_of(call(live, asker(live, "modern"), person, *[{"inputs": {"q": FORM}}] * 11))
    assert (failure.kind, len(person.asked)) == (Kind.REJECTED, 10)
    assert "10 times" in failure.text


@with_live
async def test_pages_to_visit_before_a_call(live: Live) -> None:
    """A call that was refused for it is made once more when the person has been there, else not."""
    visit, done = (v1.AnswerRequest(action=v1.AnswerRequest.ACCEPT) for _ in range(2))
    person = Person(v1.AnswerRequest(action=v1.AnswerRequest.DECLINE))
    definition = asker(live)
    failure = await failure_of(live.pool.call(definition, "locked", {}, person.hear, person.ask))
    assert failure.text == "log in first"
    live.pool.restart("asker")
    willing = Person(visit, done)
    assert text_of(await live.pool.call(definition, "locked", {}, willing.hear, willing.ask)) == "[]"
    assert [asked.WhichOneof("kind") for asked in willing.asked] == ["url", "form"]


# --- whose question it is ---------------------------------------------------------------------------


@with_live
async def test_question_of_the_only_call_in_hand(live: Live) -> None:
    """It is that call's; afterwards the server gets one call at a time, also from the next daemon on."""
    definition, first, second = asker(live), Person(accept(name="1")), Person(accept(name="2"))
    first.hurry.clear()
    one = asyncio.ensure_future(call(live, definition, first, {"ask": FORM}))
    await wait_until_async(lambda: first.asked)
    two = asyncio.ensure_future(call(live, definition, second, {"ask": FORM}))
    await wait_until_async(lambda: live.session(definition).in_use == 2)
    assert not second.asked
    first.hurry.set()
    assert [heard["content"]["name"] for heard in await one + await two] == ["1", "2"]
    known = live.cache.get(definition.cache_key)
    assert known is not None
    assert known.asks
    async with living(live.folder) as another:
        await another.names(definition)
        assert another.session(definition).calls.asks


@with_live
async def test_question_while_several_calls_are_in_hand(live: Live) -> None:
    """It waits until one is left that may have asked; a call that was given up leaves it unclear."""
    definition, silent, curious = asker(live), Person(), Person(accept(name="mine"))
    begun, end = live.folder / "begun", live.folder / "end"
    waiting = asyncio.ensure_future(
        call(live, definition, silent, {"touch": str(begun)}, {"await": str(end)})
    )
    await wait_until_async(begun.exists)
    asking = asyncio.ensure_future(call(live, definition, curious, {"ask": FORM}))
    await wait_until_async(lambda: live.session(definition).calls.asks)
    assert silent.asked + curious.asked == []
    end.touch()
    await waiting
    await wait_until_async(lambda: curious.asked)
    await asking
    assert not silent.asked


@with_live
async def test_two_calls_that_ask_at_once(live: Live) -> None:
    """Nobody can tell who asked what: one is cancelled and both are told; then the other is clear."""
    definition = asker(live)
    people = [Person(accept(name="a")), Person(accept(name="b"))]
    go = live.folder / "go"
    await live.names(definition)
    calls = []
    for number, person in enumerate(people):
        sent = live.folder / f"sent{number}"
        steps = ({"touch": str(sent)}, {"await": str(go)}, {"ask": FORM})
        calls.append(asyncio.ensure_future(call(live, definition, person, *steps)))
        await wait_until_async(sent.exists)
    go.touch()
    heard = [answers[0] for answers in await asyncio.gather(*calls)]
    assert sorted(answer["action"] for answer in heard) == ["accept", "cancel"]
    assert sum(len(person.asked) for person in people) == 1
    assert any("it cannot be told whose question it is" in text for person in people for text in person.told)


@pytest.mark.parametrize(
    ("kind", "protocol", "at_once"), [("http", "legacy", 3), ("http", "modern", 3), ("sse", "legacy", 1)]
)
def test_questions_over_http(
    tmp_path: Path, serve_http: Callable[..., Any], kind: str, protocol: str, at_once: int
) -> None:
    """Over streamable http they come on the stream of their call: calls may run at once, each is asked."""

    @with_live
    async def test(live: Live) -> None:
        definition = live.define({"s": {"url": serve_http(kind).url, "protocol": protocol}})
        await live.names(definition)
        people = [Person(accept(name=name)) for name in "abc"[:at_once]]
        for person in people:
            person.hurry.clear()
        calls = [
            asyncio.ensure_future(live.pool.call(definition, "ask", {}, person.hear, person.ask))
            for person in people
        ]
        await wait_until_async(lambda: all(person.asked for person in people))
        assert live.session(definition).calls.asks is (kind == "sse")
        for person in people:
            person.hurry.set()
        heard = [text_of(result) for result in await asyncio.gather(*calls)]
        assert heard == [f"hello {name}" for name in "abc"[:at_once]]

    test(tmp_path)


# --- the end of a question --------------------------------------------------------------------------


@with_live
async def test_question_without_a_call(live: Live) -> None:
    """One that comes after its call is over is cancelled: the next call is not asked."""
    definition, person, later = asker(live), Person(accept()), Person(accept(name="later"))
    go, answered = live.folder / "go", live.folder / "answered"
    arguments = {"steps": [{"return": "[]"}, {"await": str(go)}, {"ask": FORM}, {"touch": str(answered)}]}
    await live.pool.call(definition, "ask", arguments, person.hear, person.ask)
    go.touch()
    await wait_until_async(answered.exists)
    assert not person.asked
    assert await call(live, definition, later, {"ask": FORM}) == [
        {"action": "accept", "content": {"name": "later"}}
    ]


@with_live
async def test_time_of_a_person_is_not_the_call(live: Live) -> None:
    """A call may last longer than its timeout by what a person takes; the rest still counts."""
    definition, person = asker(live, timeout=0.5), Person(accept(name="slow"))
    person.hurry.clear()
    asyncio.get_running_loop().call_later(0.8, person.hurry.set)
    never = {"await": str(live.folder / "never")}
    assert await call(live, definition, person, {"ask": FORM})
    failure = await failure_of(call(live, definition, Person(accept()), {"ask": FORM}, never))
    assert failure.kind == Kind.TIMED_OUT
