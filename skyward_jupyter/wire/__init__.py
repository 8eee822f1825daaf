"""What crosses between the kernel, the agents and the slots: payloads, blobs, messages and events."""
