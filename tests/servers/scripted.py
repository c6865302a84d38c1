"""A stdio server that lists and answers what a JSON object says, read anew for each: scripted.py FILE.

{"tools": [as in tools/list], "instructions": TEXT, "results": {TOOL: as of tools/call}}; a tool without a
result answers with the arguments that it was sent, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from faulty import Server, text  # beside this script


class Scripted(Server):
    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    @property
    def script(self) -> dict[str, Any]:
        script: dict[str, Any] = json.loads(self.file.read_text())
        return script

    def initialize(self, params: Any) -> dict[str, Any]:
        return super().initialize(params) | {"instructions": self.script.get("instructions")}

    def list_tools(self, _params: Any) -> dict[str, Any]:
        return {"tools": self.script["tools"]}

    def call_tool(self, params: Any) -> dict[str, Any]:
        known = self.script.get("results", {})
        return known.get(params["name"]) or text(json.dumps(params.get("arguments") or {}))


if __name__ == "__main__":
    Scripted(Path(sys.argv[1])).serve()
