"""Collections that the nodes of a pool, and its kernel, share by name: dict, set, counter, queue, barrier and lock."""
