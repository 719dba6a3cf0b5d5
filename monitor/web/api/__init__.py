"""The JSON API: one table of operations, from which routes, checks and description are made."""
