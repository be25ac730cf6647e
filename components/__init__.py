"""The program: settings -> plan -> topology -> deploy. Reads top to bottom in that order; see docs/strategies.md."""
