"""Vercel's HTTP API: routes and wire shapes over the rules of the package above."""
