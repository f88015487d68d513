"""`python -m playstream`."""

import sys

from playstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
