"""The servers of a config: add, import, list, edit."""
