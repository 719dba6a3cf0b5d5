"""Where bytes come from. One file a kind; modules whose name begins with an underscore are their private parts."""
