"""Which columns a detector's table has: what a bundle does not say of itself, kept beside it when it is saved."""

from __future__ import annotations

import msgspec

from monitor.core.errors import BundleError
from monitor.ingest.features import FeatureSpace
from monitor.model.bundle import Bundle
from monitor.model.files import read_regular

FILE = "detector.json"
FILE_LIMIT = 2**24
"""Most bytes of the file: a hundred thousand columns with long names."""

FORMAT = 1


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """``names`` is None for an array; then the ``count`` columns are x0, x1, ... ``time`` and ``key`` may be None."""

    format: int = FORMAT
    count: int
    names: tuple[str, ...] | None
    time: str | None
    key: str | None

    def all(self) -> tuple[str, ...]:
        """The name of each column."""
        return tuple(f"x{i}" for i in range(self.count)) if self.names is None else self.names


def columns_of(bundle: Bundle, features: FeatureSpace, time: str | None, key: str | None) -> Columns:
    """The columns of a saved detector, or for a bundle of the daemon the fields that its features read.

    ``time`` and ``key``, where given, are taken instead of what the bundle says.

    Raises:
        BundleError: the file in it does not describe columns that this model could read.
    """
    fields = [field.name for field in features.fields]
    if FILE not in bundle.files:
        names = tuple(dict.fromkeys(name for name in (*fields, time, key) if name is not None))
        return Columns(count=len(names), names=names, time=time, key=key)
    path = bundle.path / FILE
    try:  # the bundle was verified, so these are the bytes that were saved
        columns = msgspec.json.decode(read_regular(path, FILE_LIMIT), type=Columns)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path}: does not describe columns: {error}") from error
    if columns.format != FORMAT:
        raise BundleError(f"{path}: format {columns.format} is not {FORMAT}, which this program reads")
    columns = msgspec.structs.replace(columns, time=time or columns.time, key=key or columns.key)
    lacking = {*fields, *filter(None, (columns.time, columns.key))} - set(columns.all())
    if lacking:
        raise BundleError(f"{path}: the model reads the column {min(lacking)!r}, which is not among its columns")
    return columns
