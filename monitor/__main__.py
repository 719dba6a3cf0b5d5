"""``python -m monitor`` is ``aemonitor``."""

from __future__ import annotations

from monitor.cli import main

main()
