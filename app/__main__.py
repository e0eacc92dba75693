"""``fluorotrace`` and ``python -m app``."""

from __future__ import annotations

import sys

from app.cli.main import main as run
from app.log import start_log


def main() -> int:
    """Run the program, with a log of what happens."""
    start_log()
    return run()


if __name__ == "__main__":
    sys.exit(main())
