"""The rooms that one query goes through; start with `run.py`."""
