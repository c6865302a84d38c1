"""llm's face of the program, and its entry point: the toolbox `MCP` and the command group `llm mcp`.

Every `llm` command imports this package: nothing but llm and click, which are loaded already, is imported
by it (docs/architecture.md, "The rules of the house").
"""

from .hooks import register_commands, register_fragment_loaders, register_template_loaders, register_tools

__all__ = ["register_commands", "register_fragment_loaders", "register_template_loaders", "register_tools"]
