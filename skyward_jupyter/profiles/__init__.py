"""What pools are to be like, under names, in files."""
