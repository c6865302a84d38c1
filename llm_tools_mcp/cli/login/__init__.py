"""Logging in to remote servers, and out. The flow runs in this process: terminal and browser are its own."""
