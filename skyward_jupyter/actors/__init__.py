"""The actors of the kernel: pool, node, supplier, task and panel."""
