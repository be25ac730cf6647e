"""Our own resources, one file each, in the order in which they depend on each other.

    branch_source, temporary_branch    where a branch comes from; a branch that expires
    transfer                           the rows of a branch in another Neon project
    app_login, external_login          the environment's login on a branch of its own, and on another stack's
    migration                          the schema, brought to what the migrations folder says
    ready, deployment                  the proof that the URLs open the branch; the app, staged
    cutover, variable_drift            the pointer; the variables that follow it
    inventory                          what the environment had at its last update

Each one is a `Typed` of `typed.py`; what it does is in the rooms below: `cutover`, `migrations`, `branches`,
`database`, `clients`. `environments.plugin` serves them to the engine. Their methods read the tokens from the process's
environment: no token is an input.
"""
