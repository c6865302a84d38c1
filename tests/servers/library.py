"""A server of resources and prompts of every odd kind.

--silent says nothing when a list changes. Its one tool, `add`, puts a book on the shelf; `asked` counts the
requests for each list.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from faulty import Message, Server, text, write

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGE = 100
CITIES = ("Berlin", "Bern", "Paris")


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Library(Server):
    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        self.tools = {"add": {"type": "object"}, "asked": {"type": "object"}}
        self.asked: dict[str, int] = {}
        self.texts = {f"book://shelf/{number}": f"book {number}" for number in range(250)}
        self.texts |= {
            "book://a folder/ä ö/ünï": "with spaces and Unicode",
            "book://empty": "",
            "book://huge": "x" * 3_000_000,
            "book://dollars": "costs $5 and ${HOME} and 100%",
        }
        self.others: dict[str, list[Message]] = {
            "book://png": [{"mimeType": "image/png", "blob": coded(PNG)}],
            "book://both": [{"text": "the text"}, {"mimeType": "image/png", "blob": coded(PNG)}],
            "book://none": [],
            "book://coded": [{"mimeType": "text/plain; charset=utf-8", "blob": coded("täxt".encode())}],
            "book://latin": [{"mimeType": "text/plain", "blob": coded("täxt".encode("latin-1"))}],
            "book://broken": [{"mimeType": "image/png", "blob": "***"}],
        }

    def handle(self, message: Message) -> None:
        method, params = message.get("method"), message.get("params") or {}
        handlers: dict[Any, Any] = {
            "resources/list": self.resources,
            "resources/templates/list": self.templates,
            "resources/read": self.read,
            "prompts/list": self.prompts,
            "prompts/get": self.prompt,
            "completion/complete": self.complete,
        }
        if method not in handlers:
            super().handle(message)
            return
        self.asked[method] = self.asked.get(method, 0) + 1
        try:
            result = handlers[method](params)
        except KeyError as error:
            self.refuse(message, f"there is no {error}", -32002)
            return
        self.answer(message, result)

    def initialize(self, params: Message) -> Message:
        announced = {} if self.options.silent else {"listChanged": True}
        found = super().initialize(params)
        found["capabilities"] |= {"resources": announced, "prompts": announced, "completions": {}}
        if self.options.instructions:
            found["instructions"] = self.options.instructions
        return found

    def run(self, tool: str, _arguments: Message) -> str:
        if tool == "asked":
            return json.dumps(self.asked)
        self.texts[f"book://added/{len(self.texts)}"] = "a new book"
        if not self.options.silent:
            write({"jsonrpc": "2.0", "method": "notifications/resources/list_changed"})
        return text("added")["content"][0]["text"]

    # --- resources ----------------------------------------------------------------------------------

    def resources(self, params: Message) -> Message:
        start = int(params.get("cursor") or 0)
        uris = [*self.texts, *self.others]
        found = [self.listed(uri) for uri in uris[start : start + PAGE]]
        page: Message = {"resources": found}
        if self.options.ttl is not None:
            page["ttlMs"] = self.options.ttl
        return page | ({"nextCursor": str(start + PAGE)} if start + PAGE < len(uris) else {})

    def listed(self, uri: str) -> Message:
        known = {"size": len(self.texts[uri])} if uri in self.texts else {"mimeType": "image/png"}
        return {"uri": uri, "name": uri.removeprefix("book://"), "description": f"what {uri} has"} | known

    def templates(self, _params: Message) -> Message:
        template = {"uriTemplate": "weather://{city}/{+day}{?units}", "name": "weather"}
        return {"resourceTemplates": [template, "no object"]}

    def read(self, params: Message) -> Message:
        uri = params["uri"]
        if uri.startswith("weather://"):
            return {"contents": [{"uri": uri, "text": f"sunny at {uri}"}]}
        contents = self.others.get(uri) if uri in self.others else [{"text": self.texts[uri]}]
        return {"contents": [{"uri": uri, **item} for item in contents or []]}

    # --- prompts ------------------------------------------------------------------------------------

    def prompts(self, _params: Message) -> Message:
        place = [
            {"name": "city", "description": "where", "required": True},
            {"name": "style", "description": "how", "required": False},
        ]
        return {
            "prompts": [
                {"name": "plain", "description": "Nothing to fill in."},
                {"name": "travel", "title": "Travel", "description": "Where to go.", "arguments": place},
                {"name": "count", "arguments": [{"name": "number", "required": True}]},
                {"name": "talk", "description": "Both roles, a resource and an image."},
                {"name": "a/b c", "description": "A name with a slash and a space."},
                {"name": "coded", "description": "A text as bytes."},
            ]
        }

    def prompt(self, params: Message) -> Message:
        name, given = params["name"], params.get("arguments") or {}
        if name == "plain":
            return messages("costs $5, as ${HOME} does")
        if name == "travel":
            return messages(f"Tell me of {given['city']} ({given.get('style', 'no style')}) for $9")
        if name == "count":
            return messages(f"Count to {int(given['number'])}") if given["number"].isdigit() else {}["number"]
        if name == "talk":
            resource = {"type": "resource", "resource": {"uri": "book://shelf/1", "text": "book 1"}}
            image = {"type": "image", "mimeType": "image/png", "data": coded(PNG)}
            return {
                "messages": [
                    *messages("What is this?")["messages"],
                    {"role": "user", "content": resource},
                    {"role": "assistant", "content": {"type": "text", "text": "A book."}},
                    {"role": "user", "content": image},
                    *messages("And this?")["messages"],
                ]
            }
        if name == "a/b c":
            return messages("odd name")
        if name == "coded":
            inner = {"uri": "book://coded", "mimeType": "text/plain", "blob": coded("täxt".encode())}
            return {"messages": [{"role": "user", "content": {"type": "resource", "resource": inner}}]}
        raise KeyError(name)

    def complete(self, params: Message) -> Message:
        argument = params["argument"]
        found = [city for city in CITIES if city.lower().startswith(argument["value"].lower())]
        return {"completion": {"values": found if argument["name"] == "city" else []}}


def messages(*texts: str) -> Message:
    return {"messages": [{"role": "user", "content": {"type": "text", "text": one}} for one in texts]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--silent", action="store_true")
    parser.add_argument("--ttl", type=int)
    parser.add_argument("--instructions", default="")
    Library(parser.parse_args()).serve()
