"""``aemonitor data``: example data, made or converted. Nothing here reads a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from monitor.cli.options import NoiseRange

if TYPE_CHECKING:
    from monitor.datasets.image_text import Form

Command = TypeVar("Command", bound=Callable[..., Any])

MOST_ROWS = 10_000_000
"""More than this is a slip of the finger, and gigabytes."""

ROWS = click.IntRange(min=1, max=MOST_ROWS)
SEED = click.IntRange(min=0)
IMAGE_FILE = click.Path(readable=False)


@click.group("data", short_help="Make example data, convert images, plant corruptions.")
def command() -> None:
    """Inputs for the examples under config/examples: the same seed gives the same data everywhere."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where a subcommand writes to."""

    path: Path
    force: bool

    def write(self, blocks: Iterable[str]) -> None:
        """Write all of ``blocks``; a file is named on standard error when it is complete.

        When ``blocks`` raises there is no file, or the old one still. ``blocks`` may read the very file replaced.
        """
        from monitor.reporting.output_file import created

        if str(self.path) == "-":
            for block in blocks:
                click.echo(block, nl=False)
            return
        lines = 0
        with created(self.path, replace=self.force) as file:
            for block in blocks:
                file.write(block.encode())
                lines += block.count("\n")
        click.echo(f"wrote {self.path}: {lines:,} lines", err=True)


def output_options(command: Callable[..., None]) -> Callable[..., None]:
    """``-o`` and ``--force``, handed to the command together as ``output: Output``."""

    @click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        default="-",
        show_default=True,
        metavar="FILE",
        help="Where to write it; - is standard output.",
    )
    @click.option("--force", is_flag=True, help="Replace an existing file.")
    @wraps(command)
    def with_output(output: Path, *, force: bool, **options: object) -> None:
        command(output=Output(output, force), **options)  # fmt: skip

    return with_output


def image_options(command: Command) -> Command:
    """What the two converters of images have in common."""
    for option in (
        click.option("--format", "form", type=click.Choice(["csv", "lines", "jsonl"]), default="csv",
                     show_default=True, help="csv: label,pixel1,...; lines: label=pixels between blanks; "
                     'jsonl: {"label":5,"pixels":[...]}.'),
        click.option("--first", type=click.IntRange(min=1), metavar="N", help="Only the first N images."),
        click.argument("images", type=IMAGE_FILE, metavar="IMAGES"),
    ):  # fmt: skip
        command = option(command)
    return command


@command.command("employee", short_help="Make the table of employees (R1).")
@click.option("--rows", type=ROWS, default=240, show_default=True, help="How many employees.")
@click.option("--seed", type=SEED, default=1, show_default=True, help="Another seed, other employees.")
@output_options
def employee(rows: int, seed: int, output: Output) -> None:
    """CSV of made-up employees: sex, age, city, income, job (reference system R1)."""
    from monitor.datasets.employee import employees

    output.write(employees(rows, seed))


@command.command("sensors", short_help="Make readings of a plant with planted faults (R3).")
@click.option("--rows", type=ROWS, default=4000, show_default=True, help="How many rows; one a minute.")
@click.option(
    "--anomalies",
    type=click.IntRange(min=0),
    default=12,
    show_default=True,
    help="How many faults to plant in the last 40 % of the rows; six sorts in turn.",
)
@click.option(
    "--seed", type=SEED, default=1, show_default=True, help="The next seed is the next week of the same plant."
)
@output_options
def sensors(rows: int, anomalies: int, seed: int, output: Output) -> None:
    """CSV of a made-up pumping plant: time, twelve sensors, label (1 within a fault).

    The faults are spike, drift, dropout, noisy, mirrored and stuck; standard error lists which one was planted
    where. Benign data to learn from: --anomalies 0.
    """
    from monitor.datasets.sensors import plant

    made = plant(rows, anomalies, seed)
    output.write(made.lines())
    for fault in made.planted:
        click.echo(fault.text(), err=True)


@command.command("requests", short_help="Make requests to a web service with planted faults.")
@click.option("--rows", type=ROWS, default=20_000, show_default=True, help="How many requests.")
@click.option(
    "--faults",
    "share",
    type=click.FloatRange(0, 0.5),
    default=0.0,
    show_default=True,
    metavar="RATE",
    help="Spoil about this share of them: eight kinds of fault in every field they can befall, one a request.",
)
@click.option(
    "--seed", type=SEED, default=1, show_default=True, help="The next seed is the next four weeks of the same service."
)
@output_options
def requests(rows: int, share: float, seed: int, output: Output) -> None:
    """JSON Lines of a made-up web service: text, numbers, booleans and addresses that depend on one another.

    With --faults each request has a `label`, and those that are spoiled (1) have also `fault`, `fault_field` and
    `true_value`. Benign requests to learn from: leave --faults out. Standard error counts what was planted.
    """
    from collections import Counter

    from monitor.app.requests import request_lines
    from monitor.faults.planting import FAULTS

    lines, planted = request_lines(rows, seed, share)
    output.write(lines)
    counts: Counter[str] = Counter()
    for planting in planted:
        counts[planting.fault] += len(planting.rows)
    for fault, count in (+counts).items():
        click.echo(f"{fault}, {FAULTS[fault].does}: {count:,} requests", err=True)


@command.command("images", short_help="Convert IDX or CSV images to text (R2, R4).")
@image_options
@click.option("--labels", type=IMAGE_FILE, metavar="LABELS", help="The IDX file of the labels; CSV has its own.")
@output_options
def images(images: str, labels: str | None, first: int | None, form: Form, output: Output) -> None:
    """Convert IMAGES, an IDX file such as MNIST's or CSV, packed or not, to text: one image a line.

    CSV may have a header, with the label in the column `label`; without a header the first column is the label.
    """
    from monitor.datasets.image_text import image_text
    from monitor.datasets.images import read_images

    output.write(image_text(read_images(images, labels, first), form))


@command.command("mnist-corrupt", short_help="Spoil the first images with noise (R4).")
@image_options
@click.option(
    "--labels",
    type=IMAGE_FILE,
    metavar="LABELS",
    help="The IDX file of the digits: checked against IMAGES, and kept as `digit` in jsonl.",
)
@click.option(
    "--count",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="How many images to corrupt, the first.",
)
@click.option(
    "--noise",
    type=NoiseRange(most=255),
    default="100-200",
    show_default=True,
    help="Added to each pixel: a random whole number in this range; sums stop at 255.",
)
@click.option("--seed", type=SEED, default=1, show_default=True, help="Another seed, other noise.")
@output_options
def mnist_corrupt(
    *,
    images: str,
    labels: str | None,
    first: int | None,
    form: Form,
    count: int,
    noise: tuple[int, int],
    seed: int,
    output: Output,
) -> None:
    """Spoil the first images with noise and label them 1, all others 0 (reference system R4)."""
    from monitor.datasets.corruption import corrupted
    from monitor.datasets.image_text import image_text
    from monitor.datasets.images import read_images

    blocks = corrupted(read_images(images, labels, first), count, *noise, seed)
    output.write(image_text(blocks, form))
