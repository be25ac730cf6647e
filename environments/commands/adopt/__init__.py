"""Bring what was there before into a stack's state: branches, their computes, variables. Nothing is made or changed.

`python -m adoption -s prod`, then `pulumi preview -s prod`. What the stack file says decides: the branches with
`adopt: true`, and the variables that the environment writes.
"""
