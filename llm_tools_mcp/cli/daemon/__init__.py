"""The daemon's life from the shell: start, stop, status, logs, metrics, and who owns it."""
