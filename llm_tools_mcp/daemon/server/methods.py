"""What MCP calls its lists. Without the SDK: whoever names them must not wait until that is loaded."""

from __future__ import annotations

# The lists besides that of the tools, and the key of their items.
LISTS = {
    "resources/list": "resources",
    "resources/templates/list": "resourceTemplates",
    "prompts/list": "prompts",
}
