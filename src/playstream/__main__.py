"""Entry point of `python -m playstream`."""

import sys

from playstream.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
