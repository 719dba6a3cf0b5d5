"""Runs what was asked for, trial after trial, and collects the figures."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import digits, documents, measures, peers, product, sets, streams
from .measures import Cost, Measures
from .memory import Memory, key
from .options import Options
from .sets import Trial
from .streams import NabScore

PRODUCT_ONLY = ("noise",)
"""Groups that no peer is measured on: hours for some, and all who know how bright an image is see them."""


@dataclass(frozen=True, slots=True)
class Result:
    """One detector on one trial."""

    group: str
    name: str
    seed: int
    detector: str
    measures: Measures


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that a run measured."""

    results: list[Result]
    nab: list[NabScore]
    costs: dict[str, Cost]


def run(options: Options, memory: Memory) -> Figures:
    """Measure; each result is told on stderr as it comes."""
    place = sets.data_dir()
    chosen = {peer: peers.library(peer) for peer in peers.PEERS} if options.peers else {}
    results = [
        result
        for trial in trials(place, options)
        for result in compared(trial, {} if trial.group in PRODUCT_ONLY else chosen, memory)
    ]
    nab = list(streams.table(list(streams.scored(place)))) if "nab" in options.only else []
    return Figures(results, nab, costs(chosen) if "cost" in options.only else {})


def trials(place: Path, options: Options) -> Iterator[Trial]:
    """The trials of the groups that were asked for."""
    if "tabular" in options.only:
        yield from sets.tabular(place, options.seeds)
    if "servers" in options.only:
        yield from sets.servers(place)
    if "hdfs" in options.only:
        yield documents.sessions(place)
    if "web" in options.only:
        yield documents.payloads(place)
    if "digits" in options.only:
        yield from digits.one_class(place)
    if "noise" in options.only:
        yield digits.noise(place)


def compared(trial: Trial, chosen: Mapping[str, str], memory: Memory) -> Iterator[Result]:
    """The product and the chosen peers, each with its library, on one trial."""
    yield _told(Result(trial.group, trial.name, trial.seed, product.NAME, product.run(trial)))
    for peer, library in chosen.items():
        found = memory.recall(key(trial, peer, library), Measures, partial(peers.run, peer, trial))
        yield _told(Result(trial.group, trial.name, trial.seed, peer, found))


def costs(chosen: Iterable[str]) -> dict[str, Cost]:
    """What learning and scoring made-up rows cost each."""
    rows = measures.made_up()
    fits = {product.NAME: product.fit} | {peer: peers.learner(peer, seed=0) for peer in chosen}
    return {name: measures.cost(fit, rows) for name, fit in fits.items()}


def _told(result: Result) -> Result:
    found = result.measures
    own = "" if found.fpr is None else f", own threshold: {found.fpr:.2%} FPR, {found.tpr:.2%} TPR"
    print(
        f"{result.name} ({result.seed}) {result.detector}: AUROC {found.auroc:.4f}, AP {found.average_precision:.4f}, "
        f"best F1 {found.best_f1:.4f}{own}",
        file=sys.stderr,
        flush=True,
    )
    return result
