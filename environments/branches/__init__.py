"""What may become of a branch: dropped from the stack file, shared with another stack, deleted by hand."""
