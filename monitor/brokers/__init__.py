"""How brokers are reached: what the source and the sink of a kind share. No plugin knows another; both know this."""
