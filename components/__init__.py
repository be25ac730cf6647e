"""The program's components: what is created for one environment, and what waits for what; see docs/strategies.md."""
