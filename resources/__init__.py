"""Our own resources, one file each, over thin clients of Neon's API, Vercel's API and Postgres.

    neon_api, vercel_api, postgres    the clients: HTTP and SQL, no Pulumi
    origin, transfer, access, ready, deployment, cutover    the resources, in the order of their dependencies

A resource's provider class is imported by the engine's dynamic provider, so state holds its name and no code. Tokens
are read from the environment inside the methods; none is an input.
"""
