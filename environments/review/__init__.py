"""What a reviewer is told, as data: written as JSON lines for programs, rendered for the terminal and for a pull request."""
