"""Data that the repository makes, and converters for well-known formats: seeded, so that everyone has the same."""
