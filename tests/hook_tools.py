"""Where other hook managers are found: beside this Python, in GUARD_TEST_TOOLS (folders of programs), on the PATH."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

PATH = os.pathsep.join(
    filter(None, [str(Path(sys.executable).parent), os.environ.get("GUARD_TEST_TOOLS"), os.environ["PATH"]])
)


def tool(name: str) -> str:
    found = shutil.which(name, path=PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
