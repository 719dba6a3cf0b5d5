"""The native code as libraries in ``bench-out/native``, compiled anew whenever it changed."""

from __future__ import annotations

import ctypes
import hashlib
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
OUT = HERE.parent.parent / "bench-out" / "native"
COMPILER = ("gcc", "-std=c11", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
FAST = ("-O2",)
CHECKED = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""Ends the process at the first byte read or written outside of what was allocated, and at undefined behaviour."""

RUST_COMPILER = ("rustc", "--edition=2021", "--crate-type=cdylib", "-Cpanic=abort", "-Dwarnings")
RUST_FAST = ("-Copt-level=3",)
RUST_CHECKED = ("-Copt-level=1", "-Cdebug-assertions", "-Coverflow-checks")

_WORD, _PLACE = ctypes.c_uint64, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "json_lines_scan": (_WORD, _PLACE, _WORD, _PLACE, _PLACE, _WORD, _PLACE, _PLACE),
    "access_log_scan": (_WORD, _PLACE, _WORD, *(_PLACE,) * 2, _WORD, _PLACE, _WORD, *(_PLACE,) * 4),
    "texts_offsets": (ctypes.c_int64, _WORD, _PLACE, _PLACE, _PLACE, _WORD, _PLACE),
    "lines_copy": (_WORD, _PLACE, _WORD, *(_PLACE,) * 3, _WORD, _PLACE, _WORD, _PLACE, _PLACE),
    "texts_copy": (ctypes.c_bool, _PLACE, _WORD, _PLACE, _PLACE, _WORD, _PLACE, _WORD),
}
"""What each function returns, and takes."""


@cache
def library(flags: tuple[str, ...] = FAST, sources: Path = HERE) -> ctypes.CDLL:
    """The functions of all C files, compiled with these flags."""
    return _loaded((*COMPILER, *flags), sources, ".c")


@cache
def rust_library(flags: tuple[str, ...] = RUST_FAST, sources: Path = HERE) -> ctypes.CDLL:
    """The functions in Rust, all but that for access logs."""
    return _loaded((*RUST_COMPILER, *flags), sources, ".rs")


def _loaded(command: tuple[str, ...], sources: Path, suffix: str) -> ctypes.CDLL:
    loaded = ctypes.CDLL(str(_compiled(command, sources, suffix)))
    for name, (result, *arguments) in _SIGNATURES.items():
        if function := getattr(loaded, name, None):
            function.restype, function.argtypes = result, arguments
    return loaded


def _compiled(command: tuple[str, ...], sources: Path, suffix: str) -> Path:
    files = sorted(sources.glob(f"*{suffix}"))
    content = b"".join(file.read_bytes() for file in (*files, *sorted(sources.glob("*.h"))))
    digest = hashlib.blake2b(content + repr(command).encode(), digest_size=8).hexdigest()
    target = OUT / f"parsers-{digest}.so"
    if not target.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".part")
        # A sanitizer that is loaded first for the fuzzing would end the compiler.
        plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        subprocess.run([*command, "-o", str(unfinished), *map(str, files)], check=True, env=plain)
        unfinished.rename(target)
    return target
