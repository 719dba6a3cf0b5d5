"""The daemon: threads, queues, signals, reload. It drives stages it is handed and names none of them."""
