"""`playstream node` with the program FAR_END in place of its workers: python -m benchmarks.measured_node FAR_END FLAGS.

FAR_END is started with the words that Python would get: `-P -m playstream worker` and flags.
"""

from __future__ import annotations

import sys

from playstream.cli.main import main

if __name__ == "__main__":
    sys.executable = sys.argv[1]
    raise SystemExit(main(["node", *sys.argv[2:]]))
