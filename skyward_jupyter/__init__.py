"""Skyward for notebooks: cells and calls on many machines, from the one kernel."""
