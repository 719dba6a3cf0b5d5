"""Settings of allocator and garbage collector that suit a program whose batches make and free megabytes at a time."""

from __future__ import annotations

import ctypes
import gc
import sys
from importlib.abc import MetaPathFinder

from monitor.core.arrow import pa

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's ``mallopt`` (malloc.h)."""

KEPT_BYTES = 32 << 20
"""Free memory at the top of the heap that stays with the process: a few batches with all their columns."""
LARGEST_HEAP_BLOCK = 32 << 20
"""Blocks up to this come from the heap; glibc allows no more. The default, 128 KiB, is less than one column array, so
that each batch would map, fault in and unmap megabytes: measured at a third to a half of all processor time."""


def keep_freed_memory() -> bool:
    """Tell the C library's allocator so; False where it cannot be told (it is not glibc).

    Arrow's own pool, which would keep 40 MB more beside that, is not used.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = ((M_ARENA_MAX, 1), (M_MMAP_THRESHOLD, LARGEST_HEAP_BLOCK), (M_TRIM_THRESHOLD, KEPT_BYTES))
    return all(mallopt(name, value) == 1 for name, value in settings)


YOUNG_OBJECTS = 50_000
"""A batch makes a few thousand tuples and frees them all. With Python's default of 700 the collector would look at them
again and again, at a quarter of all processor time, and find nothing: decoded records have no cycles."""


def settle_garbage_collector() -> None:
    """Take what is loaded now out of the collector's sight, and let it run when objects really pile up."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)


def drop_what_was_replaced() -> None:
    """Collect at once what a reload or a new model has left behind, cycles and all.

    By itself the collector would hardly ever come to look for it: each reload would add a tenth to half a megabyte.
    """
    gc.collect()


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)


def leave_pandas_out() -> None:
    """Let pyarrow believe that there is no pandas, unless it is loaded already.

    It would load it with the first list that becomes an array, to ask whether that is a series: a quarter of a second
    and 50 MB for a program that has none.
    """
    sys.meta_path.insert(0, _WithoutPandas())
