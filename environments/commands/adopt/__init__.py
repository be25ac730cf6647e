"""Bring what exists already into a stack's state: branches, their computes, variables. Nothing in the clouds changes.

`environments adopt -s prod`, then `pulumi preview -s prod`. The stack file decides: the branches with `adopt: true`,
and the variables that the environment writes.
"""
