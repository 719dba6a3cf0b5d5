"""Where work on many pieces of data is done beside this process: in others on the same machine, or on a Ray cluster."""
