"""What a pool shows where there is no notebook: a live region in a terminal, plain lines elsewhere."""
