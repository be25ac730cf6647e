"""`python -m environments`: the command, where its script isn't on PATH."""

from environments.commands.main import main

main(prog_name="environments")
