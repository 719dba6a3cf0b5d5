"""Pieces of a text as columns: what cutting, decoding and grouping hand on to each other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from monitor.core.arrays import I64, Bools


@dataclass(frozen=True, slots=True)
class Lines:
    """Records in a text, none of them in two places; ``text[starts[i]:ends[i]]`` is one without its delimiter.

    Between one and the next stands the delimiter alone, behind the last one it may be missing. The counts are of each
    record by itself, since a batch may end behind any of them.
    """

    text: bytes
    starts: I64  # [n]
    ends: I64  # [n]
    offsets: I64  # [n] where it begins in the file
    truncated: Bools  # [n] longer than it may be
    dropped: I64  # [n] bytes left out because of that
    skipped: I64  # [n] NUL bytes left out before its first character
    replaced: I64  # [n] bytes that are not of the encoding

    def __len__(self) -> int:
        return len(self.starts)

    def ended(self, delimiter: bytes) -> bool:
        """Whether the last record has its delimiter."""
        return len(self.text) - int(self.ends[-1]) >= len(delimiter) and self.text.endswith(delimiter)

    def rows(self, begin: int, end: int) -> Lines:
        """Some of the records with the text they stand in; ``begin < end``."""
        place = int(self.starts[begin])
        stop = int(self.starts[end]) if end < len(self) else len(self.text)
        part = slice(begin, end)
        return Lines(
            self.text[place:stop],
            self.starts[part] - place,
            self.ends[part] - place,
            self.offsets[part],
            self.truncated[part],
            self.dropped[part],
            self.skipped[part],
            self.replaced[part],
        )

    def without(self, begins: I64, stops: I64) -> Lines:
        """The same without some ranges of the text, ascending, none of which reaches over an end of a record."""
        if not len(begins):
            return self
        edges = np.column_stack([begins, stops]).ravel()
        lengths = np.diff(edges, prepend=0, append=len(self.text))
        kept = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
        text = np.frombuffer(self.text, dtype=np.uint8)[kept].tobytes()
        gone = np.concatenate([[0], np.cumsum(stops - begins)])
        starts = self.starts - gone[np.searchsorted(begins, self.starts)]
        return replace(self, text=text, starts=starts, ends=self.ends - gone[np.searchsorted(begins, self.ends)])


def joined(before: Lines, after: Lines) -> Lines:
    """Both as one text; the last record of ``before`` has its delimiter."""
    shift = len(before.text)
    return Lines(
        before.text + after.text,
        np.concatenate([before.starts, after.starts + shift]),
        np.concatenate([before.ends, after.ends + shift]),
        np.concatenate([before.offsets, after.offsets]),
        np.concatenate([before.truncated, after.truncated]),
        np.concatenate([before.dropped, after.dropped]),
        np.concatenate([before.skipped, after.skipped]),
        np.concatenate([before.replaced, after.replaced]),
    )
