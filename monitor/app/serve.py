"""Makes the daemon of a configuration and runs it."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa

import monitor
from monitor import plugins
from monitor.app import helping
from monitor.app.compose import load_pipeline, new_framer
from monitor.app.desk import LedgerDesk
from monitor.app.streams import chosen_streams, models_root, reservoirs_root
from monitor.core.clock import Clock, SystemClock
from monitor.core.config import Config, Plugin, StreamConfig
from monitor.core.errors import UsageError
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import Source, SourceContext
from monitor.core.strict import StrictModel
from monitor.deciding.suppression import Suppression
from monitor.ingest.quiet import patient
from monitor.ledger import Ledger, Recovery
from monitor.model import backend
from monitor.model.versions import current_version
from monitor.plugins import load_config
from monitor.plugins.matching import would_read
from monitor.reservoir.keeper import Keeper
from monitor.runtime.daemon import Daemon, Ended
from monitor.runtime.helpers import Work
from monitor.runtime.memory import keep_freed_memory, leave_pandas_out, settle_garbage_collector
from monitor.runtime.plan import Plan, ServerPlan, SinkPlan, StreamPlan
from monitor.runtime.service_manager import ServiceManager
from monitor.runtime.serving import Serving
from monitor.telemetry import Telemetry, setup_logging
from monitor.web import AppBuilder, Health, build_app

TURN_BYTES = 2 << 20
"""Read at once: large enough that per-batch costs vanish, small enough to score within tens of milliseconds."""

PIPE = "stdin"
"""The source whose bytes cannot be read a second time."""

TURNS_QUEUED = 4
"""The queue holds at least so many turns, so that it can be half full and still have room for one."""


def serve(config_path: Path, *, streams: Sequence[str], once: bool, from_stdin: bool, log_level: str) -> Ended:
    """Run the daemon until it ends.

    Raises:
        UsageError: ``from_stdin`` without saying which of several streams is meant.
    """
    setup_logging(log_level)
    keep_freed_memory()
    pa.set_cpu_count(1)
    clock = SystemClock()
    watched = WatchedConfig(config_path)
    telemetry = Telemetry(clock)
    config = watched.load()
    leave_pandas_out()  # now that plugins are loaded, which may want it
    keeper = Keeper(reservoirs_root(config), telemetry, clock)
    make_plan = partial(
        _plan, directory=config_path.parent, keeper=keeper, streams=streams, once=once, from_stdin=from_stdin
    )
    _tell_of(config, telemetry)
    plan = make_plan(config)
    manager = ServiceManager(os.environ, clock)
    manager.starting("checking the ledger")
    ledger = Ledger.open(plugins.resolve_state_dir(config, os.environ), recovery=recovery_of(config, telemetry))
    # By the loop that scores and no other: a scorer that hangs is a program that does nothing.
    health = Health(clock, {"scorer": manager.alive})
    daemon = Daemon(
        plan,
        ledger,
        telemetry,
        clock,
        replan=lambda: make_plan(watched.load()),
        config_changed=watched.changed,
        manager=manager,
        serving=Serving(telemetry, health, _site(watched, clock)),
    )
    settle_garbage_collector()
    keeper.start()
    try:
        return daemon.run()
    finally:
        keeper.close()


def _tell_of(config: Config, telemetry: Telemetry) -> None:
    """Say what computes, and set it up."""
    device, message = backend.chosen(config.backend, config.device)
    telemetry.build_info(monitor.__version__, platform.python_version(), backend.settle(config.backend))
    telemetry.device(str(device or "cpu"), message)


class WatchedConfig:
    """A configuration file and the content last tried, so that a change is noticed and tried exactly once.

    ``latest`` is the last one that was valid.
    """

    latest: Config

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: bytes | None = None
        self._calendars: dict[Path, bytes | None] = {}

    def load(self) -> Config:
        """Read and validate; the content counts as tried even when it is refused."""
        self._seen = _digest(self._path)
        self.latest = load_config(self._path)
        self._calendars = {path: _digest(path) for path in _calendars(self.latest)}
        return self.latest

    def changed(self) -> bool:
        """Whether the file, or a calendar it names, is not as it was last tried; unreadable ones count as unchanged."""
        tried = {self._path: self._seen, **self._calendars}
        changed = [path for path, seen in tried.items() if _digest(path) not in (None, seen)]
        for path in self._calendars.keys() & changed:
            self._calendars[path] = _digest(path)
        return bool(changed)


def _digest(path: Path) -> bytes | None:
    try:
        return hashlib.blake2b(path.read_bytes()).digest()
    except OSError:
        return None


def _calendars(config: Config) -> list[Path]:
    rules = [rule for stream in config.streams.values() for rule in stream.alert.suppress]
    return [rule.calendar for rule in rules if rule.calendar is not None]


def _plan(
    config: Config, *, directory: Path, keeper: Keeper, streams: Sequence[str], once: bool, from_stdin: bool
) -> Plan:
    chosen = chosen_streams(config, streams)
    if from_stdin and len(chosen) != 1:
        raise UsageError(f"--stdin needs --stream, since there are several streams: {', '.join(chosen)}")
    refuse_feedback(config, chosen)
    for stream in chosen.values():
        Suppression(stream.alert.suppress)  # reads the calendars, or says what is wrong with one
    return Plan(
        streams={name: _stream_plan(config, name, stream, keeper, once, from_stdin) for name, stream in chosen.items()},
        sinks=_sink_plans(config, chosen),
        server=None if once else _server_plan(config, directory),
        queue_bytes=config.limits.queue_bytes,
        max_batch_records=config.limits.max_batch_records,
        turn_bytes=min(TURN_BYTES, config.limits.queue_bytes // TURNS_QUEUED),
        gather_seconds=config.limits.gather_milliseconds / 1000,
        helpers=config.helpers,
        start_helpers=partial(_start_helpers, config),
        keep_one_in=config.limits.sample_one_in if config.limits.on_overload == "sample" else 1,
        once=once,
    )


def recovery_of(config: Config, telemetry: Telemetry) -> Recovery | None:
    """What to do about a damaged ledger; None: refuse to start."""
    if config.on_corrupt_state == "refuse":
        return None
    return Recovery(config.on_corrupt_state, tuple(config.streams), telemetry.ledger_replaced)


def refuse_feedback(config: Config, streams: Mapping[str, StreamConfig]) -> None:
    """A stream must not read what a sink writes: each alert would be a record that alerts again.

    Raises:
        UsageError: it would; the message names both.
    """
    for name, stream in streams.items():
        for sink_name, sink in config.sinks.items():
            if written := _read_back(stream.source.options, sink.options):
                raise UsageError(
                    f"sink {sink_name} writes {written}, which stream {name} reads: each alert would be read as a "
                    "record; write the alerts elsewhere or narrow what the stream reads"
                )


def _read_back(source: StrictModel, sink: StrictModel) -> str | None:
    if isinstance(source, MessageOptions):
        return source.read_back(sink)
    path = str(Path(getattr(sink, "path", "-")).absolute())
    return path if would_read(source, path) else None


def _site(watched: WatchedConfig, clock: Clock) -> AppBuilder:
    """The pages with what the ledger has and people say."""
    desk = LedgerDesk(lambda: watched.latest, clock)
    return partial(build_app, desk=desk, clock=clock, version=monitor.__version__)


def _server_plan(config: Config, directory: Path) -> ServerPlan | None:
    server = config.server
    if server.address is None:
        return None
    host, _ = server.address
    return ServerPlan(server.listen, server.web_config_in(directory), (host, *server.host_names))


def _stream_plan(
    config: Config, name: str, stream: StreamConfig, keeper: Keeper, once: bool, from_stdin: bool
) -> StreamPlan:
    root, clock = models_root(config), SystemClock()
    source = Plugin(PIPE, plugins.default_options("sources", PIPE)) if from_stdin else stream.source
    return StreamPlan(
        name=name,
        # A pipe is read on as it was opened: what was read ahead of it would be gone with its source.
        reading=PIPE if source.kind == PIPE else (source, config.limits, stream.input),
        open_source=patient(_source_opener(source.kind, source.options, once=once), stream.input),
        new_framer=new_framer(config.limits, stream.input),
        load=partial(load_pipeline, config, name, clock, keeper=keeper),
        published=partial(current_version, root, name),
        elsewhere=partial(_elsewhere, name, backend.on_cpu(config.backend, config.device)),
        rereadable=source.kind != PIPE,
    )


def _elsewhere(stream: str, scored: bool, version: str) -> Work:
    return partial(helping.prepare, stream, version, scored=scored)


def _start_helpers(config: Config) -> Executor:
    """Processes of their own from the ground up: one that is forked would share the locks of our threads."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(config.helpers, context, initializer=helping.begin, initargs=(config,))


def _source_opener(kind: str, options: StrictModel, *, once: bool) -> Callable[[SourceContext], Source]:
    def open_source(context: SourceContext) -> Source:
        source: Source = plugins.module("sources", kind).build(_begun(options, context), context, once=once)
        return source

    return open_source


def _begun(options: StrictModel, context: SourceContext) -> StrictModel:
    """The options, with ``start_at`` as ``on_corrupt_state`` says where a new ledger stands for a damaged one."""
    if context.begin is None or "start_at" not in type(options).model_fields:
        return options
    return options.model_copy(update={"start_at": context.begin})


def _sink_plans(config: Config, streams: dict[str, StreamConfig]) -> dict[str, SinkPlan]:
    plans: dict[str, SinkPlan] = {}
    for name, sink in config.sinks.items():
        users = tuple(stream for stream, options in streams.items() if name in options.sinks)
        if users:
            plans[name] = SinkPlan(name, sink, partial(plugins.module("sinks", sink.kind).build, sink.options), users)
    return plans
