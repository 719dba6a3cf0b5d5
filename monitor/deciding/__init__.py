"""Which scores become alerts."""
