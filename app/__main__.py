"""``fluorotrace`` and ``python -m app``."""

from __future__ import annotations

import sys

from app.cli.main import main as run
from app.log import start_log
from app.translation import use_translations


def main() -> int:
    """Run the program, with a log of what happens, in the user's language."""
    start_log()
    use_translations()
    return run()


if __name__ == "__main__":
    sys.exit(main())
