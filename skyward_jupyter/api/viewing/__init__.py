"""What a live view of a collection shows: read for its views while somebody looks, and a piece at a time."""
