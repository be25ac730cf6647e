"""A database carried over to another Neon project by dump and restore, and compared with its source."""
