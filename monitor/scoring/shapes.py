"""What the tensors of each score look like: a bundle that has others is refused before it can mislead or break.

A version of the program that remembers more ranks, say, finds a bundle of another one wanting here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.core.features import Layout
from monitor.model.manifest import EVIDENCE
from monitor.model.ops import Array
from monitor.model.tensors import Shape, check_integers, check_numbers, check_shapes
from monitor.scoring import lens, sums, surprises, tails
from monitor.scoring.panel import padded

Shapes = dict[str, Shape]
State = Mapping[str, Array]

INTEGERS = {"evidence.lens.lifted": 0, "evidence.lens.count": 2}
"""Tensors of whole numbers, and the least that may be in them."""


def check_evidence(method: str, found: State, layout: Layout) -> None:
    """Check what a score by ``method`` learned for a layout.

    Raises:
        BundleError: a tensor is missing, has another type or shape, or values that are not finite.
    """
    check_shapes(EVIDENCE, found, SHAPES[method](found, layout))
    check_numbers(EVIDENCE, {name: tensor for name, tensor in found.items() if name not in INTEGERS})
    if method == "blend":
        most = {"evidence.lens.lifted": layout.width - 1, "evidence.lens.count": lens.KNOTS}
        for name, least in INTEGERS.items():
            check_integers(EVIDENCE, name, found[name], least=least, most=most[name])


def _within(part: str, shapes: Shapes) -> Shapes:
    return {f"{part}.{name}": shape for name, shape in shapes.items()}


def _tails(columns: int) -> Shapes:
    return {"knots": (columns, tails.KNOTS), "bans": (columns, tails.KNOTS), "slopes": (columns,)}


def _surprises(features: int) -> Shapes:
    return {"levels": (features, surprises.RANKS), "bans": (surprises.RANKS,)}


def _field(_found: State, layout: Layout) -> Shapes:
    features = len(layout.blocks)
    return _within("errors", _tails(features)) | _within("novelties", _surprises(features))


def _masked(found: State, layout: Layout) -> Shapes:
    fields = _field(found, layout)
    return _within("seen", fields) | _within("hidden", fields) | {"gate": (1,)}


def _blend(found: State, layout: Layout) -> Shapes:
    return _within("evidence", _evidence(found, layout)) | _within("verdict", _verdict(layout))


def _verdict(layout: Layout) -> Shapes:
    features = len(layout.blocks)
    tails = {"whole": 1, "fields": features}
    rarities: Shapes = {"means": (3,)} | _within("novelties", _surprises(features))
    for part, columns in tails.items():
        rarities |= _within(part, _tails(columns))
    return _within("rarities", rarities) | _within("records", _sums(1)) | _within("features", _sums(features))


def _sums(columns: int) -> Shapes:
    return {"levels": (columns, sums.KNOTS), "bans": (columns, sums.KNOTS)}


def _evidence(found: State, layout: Layout) -> Shapes:
    lifted, features = _size(found, "evidence.lens.lifted", 0), len(layout.blocks)
    seen = padded(layout.width + lifted)
    shapes = _within("lens", _lens(layout.width, lifted)) | _within("book", _book(found, seen))
    shapes |= _within("panel", _panel(found, seen, features))
    own = {"whitening": (seen, seen), "field_weights": (seen, padded(features)), "hidden": (features, seen)}
    return shapes | own


def _lens(width: int, lifted: int) -> Shapes:
    view = (lifted, lens.KNOTS)
    whole: Shapes = {"centre": (width,), "spread": (width,)}
    return whole | {"lifted": (lifted,), "knots": view, "levels": view, "count": (lifted,), "slopes": (2, lifted)}


def _book(found: State, seen: int) -> Shapes:
    size = _size(found, "evidence.book.rows", 0)
    return {"rows": (size, seen), "search": (seen,), "unit": (seen,), "squares": (size,)}


def _panel(found: State, seen: int, features: int) -> Shapes:
    """Of the layers between the first and the last one, the widths are those that are found."""
    weights = "evidence.panel.weights."
    layers = max(1, sum(name.startswith(weights) for name in found))
    members = _size(found, f"{weights}0", 0)
    widths = [seen + padded(features), *(_size(found, f"{weights}{k}", 2) for k in range(layers - 1)), seen]
    shapes: Shapes = {f"weights.{k}": (members, widths[k], widths[k + 1]) for k in range(layers)}
    return shapes | {f"biases.{k}": (members, 1, widths[k + 1]) for k in range(layers)}


def _size(found: State, name: str, dimension: int) -> int:
    """How long a tensor is; 0, and the checks will find it missing, where it is not there or has fewer dimensions."""
    shape = found[name].shape if name in found else ()
    return shape[dimension] if dimension < len(shape) else 0


SHAPES: dict[str, Callable[[State, Layout], Shapes]] = {"field": _field, "masked": _masked, "blend": _blend}
