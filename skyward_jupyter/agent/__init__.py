"""What runs on a machine: the template, the agent, its slots and what they host."""
