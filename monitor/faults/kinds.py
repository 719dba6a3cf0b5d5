"""The names of the faults; here so that the command line knows them without pyarrow."""

KINDS = ("x10", "/10", "swap", "unseen", "missing", "noise", "frozen", "drift", "burst", "silence")
