"""What both sides ask of the operating system: whose a file is, whose a connection, and standard streams."""
