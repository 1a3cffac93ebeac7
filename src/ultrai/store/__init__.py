"""Owns the database: runs, their events, and what is remembered of models between runs."""
