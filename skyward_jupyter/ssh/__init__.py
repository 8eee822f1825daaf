"""Machines one has a login for: connections, tunnels, and what makes a bare machine ready for an agent."""
