"""Print the test that the README shows first."""

from __future__ import annotations

import re
from pathlib import Path

readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
print(next(block for block in blocks if "def test_" in block))
