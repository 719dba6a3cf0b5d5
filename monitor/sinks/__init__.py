"""Where alerts go: one file a kind, the file's name is the name users write. See ``monitor.core.protocols.Sink``."""
