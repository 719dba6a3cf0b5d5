"""Records as a source and framing would hand them to a parser."""

from __future__ import annotations

import numpy as np

from monitor.core.records import Origin, RawBatch


def framed(*lines: str | bytes) -> RawBatch:
    """The given lines as one batch, each ended by a line feed in a file that begins with the first."""
    encoded = [line.encode() if isinstance(line, str) else line for line in lines]
    ends = np.cumsum([len(line) + 1 for line in encoded], dtype=np.int64) - 1
    starts = ends - np.array([len(line) for line in encoded], dtype=np.int64)
    data = b"".join(line + b"\n" for line in encoded)
    return RawBatch(
        origin=Origin(file_id="test", epoch=0, path="test.log"),
        data=data,
        starts=starts,
        ends=ends,
        offsets=starts,
        next_offset=len(data),
        tail=data[-256:],
        truncated=np.zeros(len(encoded), dtype=np.bool_),
        input_bytes=len(data),
    )
