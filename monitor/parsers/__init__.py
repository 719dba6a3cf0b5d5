"""Parsers: framed records become typed columns, one file a format; what cannot be read is marked, never dropped."""
