"""Compare two files of points: ``python -m divergences A B``."""

import sys

from divergences.comparison.command import main

if __name__ == "__main__":
    sys.exit(main())
