"""Plots, one subject a file: functions from facts to a matplotlib ``Figure``, without pyplot's global state."""
