"""Makes the daemon of a configuration and runs it."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from functools import partial
from glob import glob
from pathlib import Path

import pyarrow as pa
import torch

import monitor
from monitor import plugins
from monitor.app.compose import chosen_streams, load_pipeline, models_root, new_framer
from monitor.core.clock import SystemClock
from monitor.core.config import Config, Plugin, StreamConfig
from monitor.core.errors import UsageError
from monitor.core.protocols import Source, SourceContext
from monitor.ledger import Ledger
from monitor.model.bundle import current_version
from monitor.model.device import choose_device
from monitor.plugins import load_config
from monitor.runtime.daemon import Daemon, Ended
from monitor.runtime.memory import keep_freed_memory, settle_garbage_collector
from monitor.runtime.plan import Plan, SinkPlan, StreamPlan
from monitor.telemetry import Telemetry, setup_logging
from monitor.web import Health

TURN_BYTES = 2 << 20
"""Read at once: large enough that per-batch costs vanish, small enough to score within tens of milliseconds."""


def serve(config_path: Path, *, streams: Sequence[str], once: bool, from_stdin: bool, log_level: str) -> Ended:
    """Run the daemon until it ends.

    Raises:
        UsageError: ``from_stdin`` without saying which of several streams is meant.
    """
    setup_logging(log_level)
    keep_freed_memory()
    # One thread: slices of 1,024 rows are too small to share, and the machine has other work.
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    clock = SystemClock()
    watched = WatchedConfig(config_path)
    make_plan = partial(_plan, streams=streams, once=once, from_stdin=from_stdin)
    config = watched.load()
    telemetry = Telemetry(clock)
    device, message = choose_device(config.device)
    telemetry.build_info(monitor.__version__, platform.python_version(), torch.__version__)
    telemetry.device(str(device), message)
    plan = make_plan(config)
    ledger = Ledger.open(plugins.resolve_state_dir(config, os.environ))
    daemon = Daemon(
        plan,
        ledger,
        telemetry,
        Health(clock),
        clock,
        replan=lambda: make_plan(watched.load()),
        config_changed=watched.changed,
    )
    settle_garbage_collector()
    return daemon.run()


class WatchedConfig:
    """A configuration file and the content last tried, so that a change is noticed and tried exactly once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: bytes | None = None

    def load(self) -> Config:
        """Read and validate; the content counts as tried even when it is refused."""
        self._seen = self._digest()
        return load_config(self._path)

    def changed(self) -> bool:
        """Whether the file's content differs from what was last tried; an unreadable file counts as unchanged."""
        now = self._digest()
        return now is not None and now != self._seen

    def _digest(self) -> bytes | None:
        try:
            return hashlib.blake2b(self._path.read_bytes()).digest()
        except OSError:
            return None


def _plan(config: Config, *, streams: Sequence[str], once: bool, from_stdin: bool) -> Plan:
    chosen = chosen_streams(config, streams)
    if from_stdin and len(chosen) != 1:
        raise UsageError(f"--stdin needs --stream, since there are several streams: {', '.join(chosen)}")
    refuse_feedback(config, chosen)
    return Plan(
        streams={name: _stream_plan(config, name, stream, once, from_stdin) for name, stream in chosen.items()},
        sinks=_sink_plans(config, chosen),
        listen=None if once or config.server.listen == "none" else config.server.listen,
        queue_bytes=config.limits.queue_bytes,
        max_batch_records=config.limits.max_batch_records,
        turn_bytes=min(TURN_BYTES, config.limits.queue_bytes),
    )


def refuse_feedback(config: Config, streams: Mapping[str, StreamConfig]) -> None:
    """A stream must not read what a sink writes: each alert would be a record that alerts again.

    Raises:
        UsageError: it would; the message names both.
    """
    for name, stream in streams.items():
        for sink_name, sink in config.sinks.items():
            path = Path(getattr(sink.options, "path", "-")).absolute()
            if _reads(stream.source.options, path):
                raise UsageError(
                    f"sink {sink_name} writes {path}, which stream {name} reads: each alert would be read as a record; "
                    "write the alerts elsewhere or narrow the stream's `include`"
                )


def _reads(options: object, path: Path) -> bool:
    """Whether a source with these options would read the file, or would if it were there."""

    def matches(pattern: str) -> bool:
        near = Path(pattern).parent == path.parent and fnmatch(path.name, Path(pattern).name)
        return near or str(path) in glob(pattern, recursive=True)  # noqa: PTH207 - patterns are absolute

    include: Sequence[str] = getattr(options, "include", ())
    exclude: Sequence[str] = getattr(options, "exclude", ())
    return any(map(matches, include)) and not any(map(matches, exclude))


def _stream_plan(config: Config, name: str, stream: StreamConfig, once: bool, from_stdin: bool) -> StreamPlan:
    root, clock = models_root(config), SystemClock()
    source = Plugin("stdin", plugins.default_options("sources", "stdin")) if from_stdin else stream.source
    return StreamPlan(
        name=name,
        reading=(source, config.limits),
        open_source=_source_opener(source.kind, source.options, once=once),
        new_framer=new_framer(config),
        load=partial(load_pipeline, config, name, clock),
        published=partial(current_version, root, name),
    )


def _source_opener(kind: str, options: object, *, once: bool) -> Callable[[SourceContext], Source]:
    def open_source(context: SourceContext) -> Source:
        source: Source = plugins.module("sources", kind).build(options, context, once=once)
        return source

    return open_source


def _sink_plans(config: Config, streams: dict[str, StreamConfig]) -> dict[str, SinkPlan]:
    plans: dict[str, SinkPlan] = {}
    for name, sink in config.sinks.items():
        users = tuple(stream for stream, options in streams.items() if name in options.sinks)
        if users:
            plans[name] = SinkPlan(name, sink, partial(plugins.module("sinks", sink.kind).build, sink.options), users)
    return plans
