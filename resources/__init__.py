"""Our own resources, one file each, over thin clients of Neon's API, Vercel's API and Postgres.

    neon_api, vercel_api, postgres    the clients: HTTP and SQL, no Pulumi
    origin, transfer, access, guest, migration, ready, deployment, cutover, seal    the resources, as they depend on
                                                                                    each other; temporary is a branch

A resource's provider class is imported by the engine's dynamic provider, so state holds its name and no code. Tokens
are read from the environment inside the methods; none is an input.
"""
