"""``poster-genre`` and ``python -m poster_genre``."""

import sys

from poster_genre.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
