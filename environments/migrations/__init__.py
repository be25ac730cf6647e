"""Migrations of the served branch's schema: read as their tool reads them, and judged before anything runs.

    model, files                 a migration, a row of the tool's own table, the tool; one file of SQL
    drizzle/, plain, tools       each kind of folder, read and run; which kind a folder is
    sql, grammar                 the statements of a text as Postgres reads them
    checks/                      may it run? lost rows, locks, transactions, lint, an untidy history: `judge`
    preview, review, render      what a preview finds, as an entry of the review, as a terminal shows it
    apply                        what `pulumi up` does, step by step, with the four below
    lock                         one at a time
    rehearsal/                   tried out on a copy
    restore_point                the way back
    run, execute, session        the run, judged by the tool's own table alone; statement by statement; its limits
    state, result, errors        what the stack's state holds; what a run came to; why it failed

The SQL is parsed by Postgres' own grammar (libpg_query, through postgast), never by patterns.
"""
