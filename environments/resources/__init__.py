"""Our own resources, one file each, in the order in which they depend on each other.

    origin, temporary    where a branch comes from; a branch that expires
    transfer             the rows of a branch in another Neon project
    access, guest        the environment's login on a branch of its own, and on another stack's
    migration            the schema, brought to what the migrations folder says
    ready, deployment    the proof that the URLs open the branch; the app, staged
    cutover, seal        the pointer; the variables that follow it

What they do is in the folders: `branch/`, `copying/`, `database/`, `pointer/`, over the clients in `clients/`. A
resource's provider class is imported by the engine's dynamic provider, so state holds its name and no code. Tokens are
read from the environment inside the methods; none is an input.
"""
