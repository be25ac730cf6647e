"""A move of the pointer: what it costs, whether it may be made, its review, and the steps that make and undo it."""
