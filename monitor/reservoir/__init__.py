"""The benign reservoir: a bounded sample of what was scored, even over time, for the next training."""
