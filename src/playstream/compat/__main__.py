"""`python -m playstream.compat SCRIPT`: run a program that says `import ansible_runner`, as it is."""

import sys

from playstream.compat.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
