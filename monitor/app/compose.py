"""Puts the stages of a stream together from its configuration; what is built here is handed downwards."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from monitor import plugins
from monitor.app.alerting import AlertWriter
from monitor.app.called_benign import Benign
from monitor.app.key_silences import KeySilenceTeller, key_policy
from monitor.app.last_places import LastPlaces
from monitor.app.pipeline import Pipeline
from monitor.app.sampling import Sampler, limits_of, warm_ups
from monitor.app.signatures import Signatures
from monitor.app.silences import SilenceTeller, SilenceWriter, rules_of, silence_of
from monitor.app.streams import models_root
from monitor.app.stretch_sampling import StretchSampler
from monitor.app.suppressing import Suppressor
from monitor.app.telling import Teller
from monitor.core.clock import DAY_SECONDS, Clock
from monitor.core.config import Config, LimitsConfig, StreamConfig
from monitor.core.errors import BundleError, DataError, TryLaterError
from monitor.core.input_config import InputConfig
from monitor.core.limit import Limit
from monitor.core.message_options import MessageOptions
from monitor.core.protocols import Encoder, Parser
from monitor.core.records import Field, RawBatch
from monitor.core.redaction import Redaction
from monitor.deciding.adaptation import Adaptation
from monitor.deciding.averaging import Averaging
from monitor.deciding.episode import Policy
from monitor.deciding.episodes import Episodes
from monitor.deciding.suppression import Suppression
from monitor.deciding.threshold import Decider
from monitor.ingest.features import FeatureSpace
from monitor.ingest.framing import PLAIN, Framer
from monitor.ingest.reading import Ingest, TimeColumn, read_files, wanted_fields
from monitor.model import backend
from monitor.model.bundle import Bundle, BundleContents, load
from monitor.model.versions import current_version, stream_directory
from monitor.plugins.matching import patterns
from monitor.reservoir.keeper import Keeper
from monitor.scoring.choice import scorer_of


def build_encoders(stream: StreamConfig) -> dict[str, Encoder]:
    """The unfitted encoders of a stream, by feature name."""
    return {
        name: plugins.module("encoders", feature.kind).build(feature.options, feature.field)
        for name, feature in stream.features.items()
    }


def build_parser(stream: StreamConfig, fields: Sequence[Field] | None) -> Parser:
    """The stream's parser; with None it finds the fields by itself."""
    parser: Parser = plugins.module("parsers", stream.parser.kind).build(stream.parser.options, fields)
    return parser


def build_ingest(stream: StreamConfig, fields: Sequence[Field], *, context: bool = True) -> Ingest:
    """Parsing for features that read ``fields``; with ``context`` every record gets its event time and key."""
    time = None if stream.time is None else TimeColumn(stream.time.field, stream.time.format, stream.time.timezone)
    both, redaction = wanted_fields([], time=time, key=stream.key), Redaction(stream.redact)
    if context or not both:
        return Ingest(build_parser(stream, sorted({*fields, *both})), time=time, key=stream.key, redaction=redaction)
    parser, single = build_parser(stream, sorted(fields)), build_parser(stream, both)
    return Ingest(parser, time=time, key=stream.key, context=single, redaction=redaction)


def new_framer(limits: LimitsConfig, form: InputConfig = PLAIN) -> Callable[[], Framer]:
    """A maker of framers for a stream's input, with the configured limits."""
    return partial(Framer, limits.max_record_bytes, limits.max_batch_records, form)


def read_input(
    config: Config, stream: StreamConfig, paths: Sequence[str | Path], stdin: IO[bytes] | None = None
) -> Iterator[RawBatch]:
    """The records of whole files, framed as the daemon frames those of the stream; see ``read_files``."""
    return read_files(paths, new_framer(config.limits, stream.input), stdin)


def load_pipeline(
    config: Config, name: str, clock: Clock, version: str | None = None, keeper: Keeper | None = None
) -> Pipeline:
    """The stream's data path with its current model, or with a given version; with a keeper it fills its reservoir.

    Raises:
        TryLaterError: nothing has been published for the stream yet.
        BundleError: the bundle is damaged, foreign, or was made for other features than are configured.
    """
    bundle = load_bundle(config, name, version)
    pipeline = assemble(config, name, bundle, clock, decider_of(config.streams[name], bundle))
    check_fit(name, config.streams[name], bundle, pipeline.features)
    if keeper:
        pipeline.sampler = sampler_of(name, config.streams[name], pipeline.teller.episodes, clock, keeper)
    return pipeline


def assemble(config: Config, name: str, bundle: Bundle, clock: Clock, decider: Decider | None = None) -> Pipeline:
    """The stream's data path with a model, whatever features are configured by now; its limit stays, or is given.

    Raises:
        BundleError: the bundle is damaged.
    """
    stream, contents = config.streams[name], bundle.contents
    features = restore_features(contents)
    scorer = scorer_of(contents, features.layout, backend.chosen(config.backend, config.device)[0])
    redaction = Redaction(stream.redact)
    alerts = AlertWriter(name, build_parser(stream, None), features, scorer, bundle, clock=clock, redaction=redaction)
    averaging = averaging_of(contents)
    missed = key_policy(stream, contents)
    context = features.needs_context or averaging.length > 1 or missed.on or bool(warm_ups(stream))
    ingest = build_ingest(stream, features.fields, context=context)
    suppressor = suppressor_of(config, name, alerts)
    silences = SilenceWriter(alerts, clock, LastPlaces(_configured(stream)))
    rules, benign = rules_of(suppressor.rules, stream.key, clock), suppressor.benign
    return Pipeline(
        name,
        ingest,
        features,
        scorer,
        averaging=averaging,
        decider=decider or Decider(threshold_of(stream, contents), promise_of(stream, contents)),
        teller=Teller(
            alerts,
            Episodes(policy_of(stream), clock),
            stream.alert.tell,
            suppressor,
            signatures=Signatures(scorer, features.sources) if stream.key is None else None,
            silence=SilenceTeller(silence_of(stream, contents, clock), silences, rules, benign),
            keys=KeySilenceTeller(missed, clock, silences, rules, benign, timed=stream.time is not None),
        ),
    )


def _configured(stream: StreamConfig) -> Sequence[str]:
    """What the stream is configured to read, for a person."""
    options = stream.source.options
    return options.places if isinstance(options, MessageOptions) else patterns(options)


def suppressor_of(config: Config, name: str, alerts: AlertWriter) -> Suppressor:
    """What suppresses alerts of a stream.

    Raises:
        ConfigError: a calendar cannot be read.
        UnavailableError: there is one, and nothing installed that reads it.
    """
    stream = config.streams[name]
    rules = Suppression(stream.alert.suppress)
    ingest = Ingest(build_parser(stream, rules.fields), time=None, key=None, redaction=alerts.redaction)
    state_dir = plugins.resolve_state_dir(config, os.environ)
    benign = Benign(state_dir, name, alerts.bundle.created) if stream.alert.suppress_benign else None
    return Suppressor(rules, ingest, benign, alerts)


def sampler_of(
    name: str, stream: StreamConfig, episodes: Episodes, clock: Clock, keeper: Keeper
) -> Sampler | StretchSampler | None:
    """What fills the stream's reservoir, by records or by stretches of them; None where it is switched off."""
    if not stream.reservoir.enabled:
        return None
    fields, stretches = learned_fields(stream), bool(warm_ups(stream))
    reservoir = keeper.reservoir(name, fields, limits_of(stream), stretches=stretches)
    kind = StretchSampler if stretches else Sampler
    return kind(reservoir, build_ingest(stream, fields), episodes, clock)


def learned_fields(stream: StreamConfig) -> list[Field]:
    """What a training reads of each record, each once, sorted."""
    return sorted({field for encoder in build_encoders(stream).values() for field in encoder.fields})


def threshold_of(stream: StreamConfig, contents: BundleContents) -> float:
    """The score above which a record alerts: that of the configuration, or the one that keeps its budget."""
    return stream.alert.threshold if stream.alert.budget is None else contents.threshold


def promise_of(stream: StreamConfig, contents: BundleContents) -> Limit | None:
    """What to expect above the stream's threshold; None where that is not known, as after the threshold was changed."""
    return contents.limit if threshold_of(stream, contents) == contents.threshold else None


def decider_of(stream: StreamConfig, bundle: Bundle) -> Decider | None:
    """A limit that follows, with nothing remembered yet; None where it stays.

    Raises:
        BundleError: it is to follow, and the model does not say what to expect of it.
    """
    if not stream.alert.adaptive:
        return None
    contents = bundle.contents
    try:
        return Adaptation(threshold_of(stream, contents), promise_of(stream, contents), bundle.version)
    except DataError as error:
        raise BundleError(f"model {bundle.version} of stream {contents.stream}: {error}") from error


def policy_of(stream: StreamConfig) -> Policy:
    """When alerts are one episode, and when it is told."""
    alert, gap = stream.alert, stream.alert.episode_gap_seconds
    return Policy(
        gap_seconds=gap,
        fire_after=alert.fire_after,
        half_life_seconds=alert.habituation_days * DAY_SECONDS,
        storm_keys=alert.storm_keys,
        hold_seconds=min(alert.hold_seconds, gap),
        regime_after=alert.regime_after,
        regime_seconds=alert.regime_days * DAY_SECONDS,
    )


def averaging_of(contents: BundleContents) -> Averaging:
    """How a model's scores are averaged, with nothing remembered yet."""
    return Averaging(1 if contents.score is None else contents.score.average)


def restore_features(contents: BundleContents) -> FeatureSpace:
    """The features as they were fitted for a model.

    Raises:
        BundleError: they are damaged, or of a kind this version does not know.
    """
    module = partial(plugins.module, "encoders")
    return FeatureSpace.restore(contents.features, module, novelty=contents.config.novelty)


def load_bundle(config: Config, name: str, version: str | None) -> Bundle:
    """The checked bundle of a stream: its current one, or a given version.

    Raises:
        TryLaterError: nothing has been published for the stream yet.
        BundleError: the bundle is damaged or foreign.
    """
    directory = stream_directory(models_root(config), name)
    if version is None and current_version(models_root(config), name) is None:
        raise TryLaterError(f"no model has been published yet; run `aemonitor retrain --stream {name}`")
    return load(directory / version if version else directory, name, config.backend)


def check_fit(name: str, stream: StreamConfig, bundle: Bundle, features: FeatureSpace) -> None:
    """A model speaks only for the features it was trained on.

    Raises:
        BundleError: the configuration's features are not those of the bundle.
    """
    changed = features.changed(build_encoders(stream))
    if changed:
        raise BundleError(
            f"model {bundle.version} of stream {name} was trained with other features (different now: "
            f"{', '.join(changed)}); run `aemonitor retrain --stream {name}`"
        )
