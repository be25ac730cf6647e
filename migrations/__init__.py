"""Migrations of the served branch's schema: read as their tool reads them, and judged before anything runs.

    model                                          what both sides of the package talk about
    tools, drizzle_journal, drizzle_folders, plain_sql    one module per kind of folder: read, applied, pending
    judge and what it uses: matching, sql, transaction, data_loss, column_types, warnings, lint
    told                                           the verdict in words, for the preview and the review

No Pulumi here; the SQL is parsed by Postgres' own grammar (pglast), never by patterns.
"""
