"""Optional libraries: asked for where they are used, and if they are missing the message says what to install."""

from __future__ import annotations

from importlib.util import find_spec

from monitor.core.errors import UnavailableError


def require(extra: str, *modules: str) -> None:
    """Make sure that the libraries of an extra are installed, before they are imported.

    >>> require("analysis", "numpy")

    Raises:
        UnavailableError: one is not; the message has the command that installs it.
    """
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        raise UnavailableError(
            f"this needs {', '.join(absent)}, which is not installed; run: pip install 'aemonitor[{extra}]'"
        )


def require_analysis() -> None:
    """Make sure that the libraries of reports, plots, clusters and ``Detector`` are installed.

    Raises:
        UnavailableError: one is not.
    """
    require("analysis", "jinja2", "matplotlib", "sklearn")
