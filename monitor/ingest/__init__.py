"""From bytes to columns: framing, parsing, event time and keys, shared by the daemon, the trainer and offline tools."""
