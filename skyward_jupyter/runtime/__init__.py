"""The loop a process runs on, and the one way to block on it."""
