"""The family of commands for what servers have besides tools: resources and prompts."""
