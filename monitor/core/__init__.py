"""Types, protocols, errors, clock and configuration text: what every layer agrees on, without torch or prometheus."""
