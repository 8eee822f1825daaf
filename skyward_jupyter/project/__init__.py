"""The user's own code, as the kernel has it, for its way to the nodes."""
