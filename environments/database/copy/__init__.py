"""A database carried over to another Neon project by dump and restore, and held against its source."""
