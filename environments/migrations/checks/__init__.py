"""What speaks against a migration, told before it runs: lost rows, locks, transactions, lint, an untidy history."""
