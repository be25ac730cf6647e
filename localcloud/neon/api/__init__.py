"""The routes of Neon's API v2: functions from a request to an answer, in one module for each kind of thing."""
