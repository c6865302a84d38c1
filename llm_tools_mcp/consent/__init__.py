"""What the person has agreed to, and is not asked again: the servers of projects, and tools of servers."""
