"""`python -m ultrai` is the command `ultrai`."""

from __future__ import annotations

from ultrai.cli.app import main

if __name__ == "__main__":
    main()
