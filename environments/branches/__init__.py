"""What may become of a branch: lent to another stack, deleted by hand, adopted."""
