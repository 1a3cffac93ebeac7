"""Embedded models: fetching their weights, checking them, serving them on loopback."""
