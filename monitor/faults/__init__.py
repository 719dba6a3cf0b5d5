"""Faults planted on purpose in benign records, each where and what it was known: what a detector must find and name."""
