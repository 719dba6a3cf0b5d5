"""Loads: a process that knows nothing of the training loads the files and gets the same scores, or nobody ever will."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from monitor.core.errors import BundleError
from monitor.core.printable import printable
from monitor.model.trials import Gate

PATIENCE_SECONDS = 120.0
"""To start, load and compute sixteen rows: seconds, on the slowest machine."""

WORDS = "a fresh process loads it and gets the scores of the canary records"


def check(directory: Path) -> None:
    """Verify a version's directory in a process of its own.

    Raises:
        BundleError: it is not sound, or the process did not end well; with what that said.
    """
    command = [sys.executable, "-m", "monitor", "models", "verify", "--directory", str(directory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise BundleError(f"a fresh process did not load the model within {PATIENCE_SECONDS:g} s") from error
    if done.returncode:
        said = printable(done.stderr.strip() or f"exit {done.returncode}", limit=400)
        raise BundleError(f"a fresh process does not load the model: {said}")


def gate(error: BundleError | None) -> Gate:
    """What became of it. It stands in the model's own card as passed: there is no card of a model that fails here."""
    return Gate("loads", error is None, WORDS if error is None else str(error))
