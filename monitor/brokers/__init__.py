"""How brokers are reached: what a source and a sink of the same broker have in common."""
