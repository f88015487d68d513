"""`python -m playstream.compat SCRIPT`: run a program written for ansible-runner unchanged."""

import sys

from playstream.compat.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
