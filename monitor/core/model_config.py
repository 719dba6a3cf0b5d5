"""The ``model:`` section of a stream: the network and how it is trained. All of it plain configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from monitor.core.strict import StrictModel

Activation = Literal["tanh", "relu", "gelu", "sigmoid", "none"]

WIDTH_LIMIT = 65536
"""Widest layer that can be asked for: two such layers side by side are 17 GB of weights, more than any daemon has."""

LayerWidth = Annotated[int, Field(ge=1, le=WIDTH_LIMIT)]


Network = Literal["dense", "conv", "gru", "lstm"]


class ModelConfig(StrictModel):
    """Network and training of one stream."""

    network: Network = Field(
        default="dense",
        description="`dense` reads all columns at once. `conv`, `gru` and `lstm` read the features encoded as `window` "
        "step by step, and need one at least; other features go to the bottleneck directly.",
    )
    hidden: Literal["auto"] | Annotated[list[LayerWidth], Field(min_length=1, max_length=64)] = Field(
        default="auto",
        description="Layer widths between input and output, the narrowest being the bottleneck, e.g. [4, 2, 4]; "
        "`auto` takes the powers of two, 512 at the most, between the bottleneck and the input width, mirrored. Of a "
        "network over windows these are channels of a step, with a layer on each side of the bottleneck at least; "
        "`auto` takes 32.",
    )
    bottleneck: Literal["auto"] | LayerWidth = Field(
        default="auto",
        description="Width of the narrowest layer when `hidden` is `auto`; `auto` tries an eighth, a quarter and half "
        "of the encoded columns, 32 at the most, and takes the narrowest that reproduces held-out records nearly as "
        "well as the best; without held-out records a quarter.",
    )
    activation: Activation = Field(default="tanh", description="After every hidden layer.")
    output_activation: Activation = Field(
        default="none", description="After the last layer; refused when it cannot reach the encoded range."
    )
    init: Literal["glorot_uniform", "torch"] = Field(
        default="glorot_uniform", description="Initial weights; Glorot comes with zero biases."
    )
    loss: Literal["mse", "huber", "l1"] = Field(default="mse", description="Training loss; the score is always L1.")
    noise: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Standard deviation of Gaussian noise added to the input in training; the target stays clean "
        "(denoising autoencoder).",
    )
    masking: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of the features hidden (set to 0) from the network in each training record, so that it "
        "learns to tell a field from the others.",
    )
    trim: float = Field(
        default=0.0,
        ge=0,
        le=0.2,
        description="Share of the training records to leave out because they are suspected not to be benign: those "
        "that a first short training reproduces worst. Held-out records are left out only where they are far worse "
        "still. `retrain` lists them.",
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="Optimiser.")
    learning_rate: float = Field(default=0.01, gt=0, allow_inf_nan=False, description="Step size of the optimiser.")
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="L2 penalty on the weights.")
    batch_size: PositiveInt = Field(default=256, description="Records per training step.")
    epochs: PositiveInt = Field(default=100, description="Most passes over the training data.")
    patience: int = Field(
        default=10,
        ge=0,
        description="Stop after this many epochs without improvement on held-out records and keep the best weights; "
        "0 trains every epoch and keeps the last weights.",
    )
    split: Literal["time", "none"] = Field(
        default="time",
        description="`time`: the oldest 70 % of the records train, the next 10 % decide when to stop, the newest 20 % "
        "set the benign range. `none`: every record trains and sets the range, as published autoencoders often do; "
        "records that were learned look better than new ones, so expect more false alerts.",
    )
    novelty: bool = Field(
        default=True,
        description="Add to the error what benign data never showed: unseen values, changed constants, numbers outside "
        "of everything benign. `false`: the reconstruction error alone, as published autoencoders have it.",
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="Seed of initial weights, shuffling, noise and masking.")

    @model_validator(mode="after")
    def _around_the_bottleneck(self) -> ModelConfig:
        if self.network != "dense" and self.hidden != "auto":
            around_bottleneck(self.hidden)
        return self

    @model_validator(mode="after")
    def _one_bottleneck(self) -> ModelConfig:
        if self.hidden != "auto" and self.bottleneck not in ("auto", min(self.hidden)):
            raise ValueError(
                f"bottleneck {self.bottleneck} contradicts hidden {self.hidden}, whose narrowest layer is "
                f"{min(self.hidden)}; leave bottleneck out or set hidden: auto"
            )
        return self


def around_bottleneck(hidden: Sequence[int]) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """The layers before the bottleneck, which is the first of the narrowest, its width, and the layers after it.

    Raises:
        ValueError: there is none before or none after it; a network over windows needs both.

    >>> around_bottleneck([32, 16, 4, 32])
    ((32, 16), 4, (32,))
    """
    place = list(hidden).index(min(hidden))
    if not 0 < place < len(hidden) - 1:
        raise ValueError(
            f"hidden {list(hidden)}: a network over windows needs a layer on each side of its bottleneck, the "
            "narrowest one, e.g. [32, 8, 32]"
        )
    return tuple(hidden[:place]), hidden[place], tuple(hidden[place + 1 :])
