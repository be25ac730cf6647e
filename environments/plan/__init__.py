"""From settings to topology: what must exist, worked out before anything is asked or changed. Pure."""
