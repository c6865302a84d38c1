"""`python -m llm_tools_mcp.cli`: llm-mcp where its script was not installed."""

from . import main

main()
