"""The composition root: alone in knowing all concrete classes."""
