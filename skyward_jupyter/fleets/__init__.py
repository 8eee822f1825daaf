"""How the nodes of a pool are run: on this machine, or on machines somewhere else."""
