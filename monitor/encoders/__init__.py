"""Turns fields into columns: each plugin learns one encoding from benign data and then applies it, never raising.

Modules with a leading underscore are no plugins but what several encodings share: how a number is scaled and bounded
(``_scaling``, ``_measure``), how states such as "missing" are told (``_flags``), how columns are read (``_reading``).
"""
