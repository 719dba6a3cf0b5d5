"""The kinds of damage that the corruption sweep does; here so that the command line knows them without pyarrow."""

KINDS = ("noise", "scale", "swap", "flip", "missing", "unseen")
