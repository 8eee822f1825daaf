"""What a user types in Python."""
