"""`make bench`: how long a preview, a promotion and a rollback take on this machine."""
