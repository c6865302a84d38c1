"""OAuth logins of remote servers: found out, made and kept. The command and the daemon share it.

challenge, discovery, registration, token: one step of the protocol each, given an http client. authorize,
callback, browser: a person's part, in the command alone. records, store: what is kept.
"""
