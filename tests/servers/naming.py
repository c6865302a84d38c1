"""A stdio server whose tools have the given names; each answers with its own name.

python naming.py --tools a,b,c     any characters but commas, any length, also the same name twice
By hand: it starts in a twentieth of the time that the SDK takes, which refuses duplicates besides.
"""

from __future__ import annotations

import argparse
from typing import Any

from faulty import NOTHING, Server  # beside this script


class Naming(Server):
    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self.names = names

    def list_tools(self, _params: Any) -> dict[str, Any]:
        return {
            "tools": [
                {"name": name, "description": f"the tool {name}", "inputSchema": NOTHING}
                for name in self.names
            ]
        }

    def run(self, tool: str, _arguments: Any) -> str:
        return tool


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools", required=True, type=lambda text: text.split(","))
    Naming(parser.parse_args().tools).serve()


if __name__ == "__main__":
    main()
