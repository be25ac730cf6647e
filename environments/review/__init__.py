"""What a reviewer is told, as data: JSON lines for programs, text for the terminal, Markdown for a pull request."""
