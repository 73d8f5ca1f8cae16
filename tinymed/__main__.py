"""``python -m tinymed``: the same as the ``tinymed`` command."""

import sys

from tinymed.cli import main

if __name__ == "__main__":
    sys.exit(main())
