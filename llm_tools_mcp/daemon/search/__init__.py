"""Which tool is meant: words, their alternatives, and a ranking. It knows nothing of servers and the wire."""
