"""OAuth logins of remote servers: found out, made and kept. The command and the daemon share it.

challenge, discovery, registration, token, identity: one step of the protocol each, given an http client.
authorize, request, callback, browser: a person's part, in the command alone. records, store, vault: what is
kept, and where. pins, reach: what is refused for safety.
"""
