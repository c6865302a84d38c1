"""What is kept of servers on disk: the daemon writes it, and both sides read it."""
