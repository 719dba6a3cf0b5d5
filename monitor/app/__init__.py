"""The composition root: the only place that names concrete stages and puts them together."""
