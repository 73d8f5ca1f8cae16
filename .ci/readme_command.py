"""Print a command of the README: the code block behind the comment ``<!-- command: NAME -->``."""

import re
import sys
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text()
block = re.search(rf"<!-- command: {sys.argv[1]} -->\s*```\w*\n(.*?)\n```", readme, re.DOTALL)
if block is None:
    raise SystemExit(f"README.md has no command {sys.argv[1]!r}")
print(block[1])
