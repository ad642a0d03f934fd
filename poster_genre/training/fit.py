"""The fit of a network's weights: a specification and arrays of posters in, a ``TrainedModel`` out.

The data set, the report and the model file belong to ``training_run``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import metrics
from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.init import check_generator
from minicnn.losses import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, Loss
from minicnn.optim import Adam, AdamW, Optimizer
from minicnn.schedules import Constant, OneCycle, Schedule
from minicnn.serialize import load_model_arrays
from minicnn.training.checkpoint_folder import RunFolder, RunFolderError
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.trainer import Trainer
from poster_genre.data.augment import Augmentation, Mixup
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.model.model_file import load_model
from poster_genre.model.networks import build_network
from poster_genre.model.spec import ModelSpec, Recipe
from poster_genre.model.trained_model import TrainedModel, with_calibration

Posters = tuple[np.ndarray, np.ndarray]
"""Pixels (N, h, w, 3) uint8 at the network's input size, and labels (N, 25) uint8."""


def train_model(
    spec: ModelSpec,
    train: Posters,
    validation: Posters | None = None,
    *,
    network: Sequential | None = None,
    seed: int = 0,
    checkpoint_dir: Path | RunFolder | None = None,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
    configuration: dict[str, Any] | None = None,
) -> TrainedModel:
    """Train a network as ``spec.recipe`` says; calibrate it and choose thresholds on ``validation`` posters.

    Without those the probabilities stay as the network has them, and every threshold is 0.5. The network ends
    with the averaged weights where the recipe averages them, otherwise with those of the last step; nothing
    is picked by its score on the validation posters. The provenance holds the number of posters and the
    history, without the columns that a clock measured: equal runs give equal models.

    ``network``         is trained in place; by default a new one with random weights from ``seed``.
    ``checkpoint_dir``  receives last.npz and best.npz after every epoch; ``resume`` goes on from last.npz,
                        where ``configuration`` (JSON) must be what the run was started with.

    UsageError where the folder cannot be used, PosterGenreError for fewer than 2 posters.
    """
    x, labels = train
    if len(x) < 2:
        raise PosterGenreError(f"training needs at least 2 posters, got {len(x)}")
    network = build_network(spec, rng=check_generator("train_model", seed)) if network is None else network
    loader = training_loader(spec, x, labels, seed)
    trainer = trainer_of(network, spec, len(loader), seed, callbacks, configuration)
    try:
        history = trainer.fit(
            loader,
            spec.recipe.epochs,
            val_loader=None if validation is None else plain_loader(spec, *validation),
            val_metrics=None if validation is None else ranking_metrics,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
        )
    except RunFolderError as error:
        raise UsageError(str(error)) from error
    load_model_arrays(network, trainer.inference_arrays())
    provenance = {"train_posters": len(x), "history": [provenance_columns(row) for row in history]}
    model = TrainedModel.uncalibrated(spec, network, labels.mean(axis=0, dtype=np.float64), provenance)
    return model if validation is None else with_calibration(model, *validation)


def trainer_of(
    network: Sequential,
    spec: ModelSpec,
    steps_per_epoch: int,
    seed: int,
    callbacks: Sequence[Any],
    configuration: dict[str, Any] | None,
) -> Trainer:
    """A Trainer of ``network`` with the recipe's loss, optimiser, schedule, average and clipping."""
    recipe = spec.recipe
    optimizer, schedule = optimizer_of(recipe, network, steps_per_epoch)
    return Trainer(
        network,
        loss_of(spec),
        optimizer,
        schedule=schedule,
        ema=None if recipe.ema_decay is None else ExponentialMovingAverage(network, recipe.ema_decay),
        clip_norm=recipe.clip_norm,
        seed=seed,
        callbacks=callbacks,
        configuration=configuration,
    )


def pretrained_model(spec: ModelSpec, file: str | Path) -> TrainedModel:
    """A model file to start training from. PosterGenreError unless its network is built as ``spec`` says."""
    start = load_model(file)
    if (start.spec.name, start.spec.arguments) != (spec.name, spec.arguments):
        raise PosterGenreError(
            f"{file} holds the network {start.spec.name!r} {start.spec.arguments}, training needs "
            f"{spec.name!r} {spec.arguments}: start from a file of the same network"
        )
    return start


def provenance_columns(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history without what the clock measured, and without the norm of the gradients."""
    left_out = ("seconds", "images_per_second", "gradient_norm")
    return {name: value for name, value in row.items() if name not in left_out}


def training_loader(spec: ModelSpec, x: np.ndarray, labels: np.ndarray, seed: int) -> DataLoader:
    """Shuffled and, where the recipe says so, augmented batches.

    A last batch of one poster would leave batch norm without a variance; it is dropped. The order changes
    with every epoch, so that each epoch leaves out another poster.
    """
    recipe = spec.recipe
    normalise = spec.to_input
    augment, mix = None, None
    if recipe.augmentation is not None:
        augment = Augmentation(**recipe.augmentation)
    if recipe.mixup_alpha > 0:
        mix = Mixup(recipe.mixup_alpha)
    return DataLoader(
        ArrayDataset(x, labels),
        min(recipe.batch_size, len(x)),
        shuffle=True,
        drop_last=len(x) % recipe.batch_size == 1,
        seed=seed,
        augment=augment,
        batch_augment=mix and (lambda pixels, y, rng: mix(normalise(pixels), y, rng)),
        to_input=None if mix else normalise,
    )


def plain_loader(spec: ModelSpec, x: np.ndarray, labels: np.ndarray) -> DataLoader:
    """Posters in their order, not augmented, in batches of the recipe's size."""
    return DataLoader(ArrayDataset(x, labels), spec.recipe.batch_size, to_input=spec.to_input)


def loss_of(spec: ModelSpec) -> Loss:
    """Binary cross-entropy, of logits or of probabilities as the network puts out."""
    if spec.logits:
        return BinaryCrossEntropyWithLogits(label_smoothing=spec.recipe.label_smoothing)
    return BinaryCrossEntropy(label_smoothing=spec.recipe.label_smoothing)


def optimizer_of(recipe: Recipe, network: Sequential, steps_per_epoch: int) -> tuple[Optimizer, Schedule]:
    """Adam at a constant rate, or AdamW with one cycle over the whole run."""
    parameters = network.parameters()
    if recipe.optimizer == "adam":
        adam = Adam(
            parameters, lr=recipe.learning_rate, eps=recipe.adam_eps, weight_decay=recipe.weight_decay
        )
        return adam, Constant(recipe.learning_rate)
    if recipe.optimizer == "adamw":
        adamw = AdamW(
            parameters, lr=recipe.learning_rate, eps=recipe.adam_eps, weight_decay=recipe.weight_decay
        )
        return adamw, OneCycle(recipe.learning_rate, recipe.epochs * steps_per_epoch)
    raise PosterGenreError(f'the optimizer must be "adam" or "adamw", got {recipe.optimizer!r}')


def ranking_metrics(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Measures of the validation posters for the history, beside the loss; the trainer prefixes "val_".

    Binary accuracy is not among them: it hardly moves, as naming no genre at all does about as well.
    """
    return {
        "macro_auc": metrics.macro_roc_auc(labels, probabilities),
        "macro_map": metrics.macro_average_precision(labels, probabilities),
    }
