"""What speaks against a migration before it runs: lost rows, locks, transactions, lint, an untidy history."""
