"""The actors of the kernel: pool, node, provider, task and panel."""
