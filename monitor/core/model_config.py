"""The ``model:`` section of a stream: the network and how it is trained. All of it plain configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from monitor.core.strict import StrictModel

Activation = Literal["tanh", "relu", "gelu", "sigmoid", "none"]


class ModelConfig(StrictModel):
    """Network and training of one stream."""

    hidden: Literal["auto"] | list[PositiveInt] = Field(
        default="auto",
        description="Layer widths between input and output, the narrowest being the bottleneck, e.g. [4, 2, 4]; "
        "`auto` takes the powers of two between the bottleneck and the input width, mirrored.",
    )
    bottleneck: Literal["auto"] | PositiveInt = Field(
        default="auto", description="Width of the narrowest layer; `auto` takes it from the number of features."
    )
    activation: Activation = Field(default="tanh", description="After every hidden layer.")
    output_activation: Activation = Field(
        default="none", description="After the last layer; refused when it cannot reach the encoded range."
    )
    init: Literal["glorot_uniform", "torch"] = Field(
        default="glorot_uniform", description="Initial weights; Glorot comes with zero biases."
    )
    loss: Literal["mse", "huber", "l1"] = Field(default="mse", description="Training loss; the score is always L1.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field(default="adam", description="Optimiser.")
    learning_rate: float = Field(default=0.01, gt=0, description="Step size of the optimiser.")
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty on the weights.")
    batch_size: PositiveInt = Field(default=256, description="Records per training step.")
    epochs: PositiveInt = Field(default=100, description="Most passes over the training data.")
    patience: int = Field(
        default=10, ge=0, description="Stop after this many epochs without improvement; 0 never stops early."
    )
    seed: int = Field(default=1, ge=0, description="Seed of initial weights, shuffling and splits.")
