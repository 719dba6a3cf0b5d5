"""What the process is told of memory holds, and takes nothing from those who use it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
{before}
from monitor.runtime.memory import keep_freed_memory, leave_pandas_out
keep_freed_memory()
leave_pandas_out()
import pyarrow as pa
import pyarrow.compute
assert pa.array(["a", None, "b"]).to_pylist() == ["a", None, "b"]
assert pa.default_memory_pool().backend_name == "system"
print("pandas" in sys.modules)
"""


def loaded(before: str = "") -> str:
    program = [sys.executable, "-c", PROGRAM.format(before=before)]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def test_pyarrow_does_not_load_pandas() -> None:
    assert loaded() == "False"


def test_whoever_has_loaded_pandas_keeps_it() -> None:
    assert loaded("import pandas") == "True"
