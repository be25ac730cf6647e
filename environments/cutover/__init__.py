"""What a move of the pointer costs, whether it may be made, how it is told, and how it is made and undone."""
