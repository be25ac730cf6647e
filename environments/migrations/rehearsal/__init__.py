"""The rehearsal: what is pending runs first on a copy of production, with its rows and its size; the receipt says how.

rehearse          the run on the copy
receipt           what it measured, and for what that holds
scratch_branch    the copy: made, deleted, and what a crash left of one
locks             which locks the run holds, and for how long
table_sizes       how many rows each table has, before and after
"""
