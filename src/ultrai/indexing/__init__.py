"""Indexes of folders: SQLite files in which passages are found by their words.

It knows no model, no Run and no reader; who wires it hands in the function that reads a file.
"""
