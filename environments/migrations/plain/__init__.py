"""Migrations as a folder of plain SQL files."""
