"""``python -m ci_theory``: the command, as ``ci-theory`` runs it."""

import os
import sys

if __name__ == "__main__":
    # Python looks for modules in the current folder first when it is started so; the command
    # does not, and a file here that is called like some library must not be run.
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]

    from ci_theory.cli import main

    sys.exit(main())
