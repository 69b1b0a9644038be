"""The command `bmad2pf`: from the checkout (`python scripts/bmad2pf.py`) or installed."""

import os
import sys


def main() -> None:
    """Run the compiler's command line and end the process with its exit code."""
    if __package__:
        from .compiler.main import main as run
    else:  # run as a file: its folder is the package, and nothing else there is to be imported
        root, _ = os.path.split(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
        sys.path.insert(0, root)
        from scripts.compiler.main import main as run

        sys.path.remove(root)
    run()


if __name__ == "__main__":
    main()
