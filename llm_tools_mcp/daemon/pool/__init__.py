"""From a definition to a session: which one serves a call, when it starts and when it ends."""
