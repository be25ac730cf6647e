"""Neon branches and Vercel deployments as environments: the library behind the Pulumi program.

Rooms, from the outside in; imports go this way only:

    commands             what a user types: `environments check`, `adopt`, `recover`, `report`, `schema`, `pull-request`
    plugin               our resources, served to the Pulumi engine
    program              what a Pulumi program uses: its stack file, other stacks' outputs, our resources
    resources            one file for each own resource
    cutover, branches    a move of the pointer; what may become of a branch
    migrations           migrations read, checked, rehearsed and run
    database             what is done inside a branch: logins, rights, fence, rows, marker, cache, copies
    plan -> settings     pure: what must exist, and what a stack file may say
    review               what a preview says to a reviewer, as data and as text
    clients              HTTP, SQL and the engine's command line
"""
