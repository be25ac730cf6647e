"""Migrations of the served branch's schema: read as their tool reads them, and judged before anything runs.

    model                                          what both sides of the package talk about
    tools, drizzle_journal, drizzle_folders, plain_sql    one module per kind of folder: read, applied, pending
    judge and what it uses: matching, sql (on grammar), transaction, data_loss, column_types, warnings, lint
    told                                           the verdict in words, for the preview and the review
    run, run_drizzle, run_plain_sql, execute       the run, judged by the tool's own table alone; limits, outcome
    lock, rehearsal, restore_point                 around it: one at a time, tried out on a copy, with a way back
    throwaway, locks_taken, table_sizes            what the rehearsal uses

No Pulumi here; the SQL is parsed by Postgres' own grammar (libpg_query, through postgast), never by patterns.
"""
