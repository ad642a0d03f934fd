"""From a network, its recipe and arrays of posters to trained weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minicnn import metrics
from minicnn.containers import Sequential
from minicnn.data import ArrayDataset, DataLoader
from minicnn.losses import BinaryCrossEntropy, BinaryCrossEntropyWithLogits, Loss
from minicnn.optim import Adam, AdamW, Optimizer
from minicnn.schedules import Constant, OneCycle, Schedule
from minicnn.serialize import load_model_arrays
from minicnn.training.checkpoint import RunFolderError
from minicnn.training.ema import ExponentialMovingAverage
from minicnn.training.trainer import Trainer
from poster_genre.classifier import to_input
from poster_genre.data.augment import Augmentation, Mixup
from poster_genre.errors import PosterGenreError, UsageError
from poster_genre.model.networks import ModelSpec, Recipe


def fit_network(
    network: Sequential,
    spec: ModelSpec,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    validation: tuple[np.ndarray, np.ndarray] | None = None,
    seed: int = 0,
    checkpoint_dir: Path | None = None,
    resume: bool = False,
    callbacks: Sequence[Any] = (),
    configuration: dict[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """Train ``network`` in place as ``spec.recipe`` says, and return one row of numbers an epoch.

    x (N, h, w, 3) uint8, labels (N, 25) uint8. At the end the network holds the averaged weights where the
    recipe averages them, otherwise those of the last step; nothing is picked by its score on the validation
    posters.
    """
    recipe = spec.recipe
    if len(x) < 2:
        raise PosterGenreError(f"training needs at least 2 posters, got {len(x)}")
    train = training_loader(spec, x, labels, seed)
    held_out = None if validation is None else plain_loader(spec, *validation)
    optimizer, schedule = optimizer_of(recipe, network, len(train))
    average = None if recipe.ema_decay is None else ExponentialMovingAverage(network, recipe.ema_decay)
    trainer = Trainer(
        network,
        loss_of(spec),
        optimizer,
        schedule=schedule,
        ema=average,
        clip_norm=recipe.clip_norm,
        seed=seed,
        callbacks=callbacks,
        configuration=configuration,
    )
    try:
        history = trainer.fit(
            train,
            recipe.epochs,
            val_loader=held_out,
            val_metrics=None if held_out is None else ranking_metrics,
            checkpoint_dir=checkpoint_dir,
            resume=resume,
        )
    except RunFolderError as error:
        raise UsageError(str(error)) from error
    load_model_arrays(network, trainer.inference_arrays())
    return history


def training_loader(spec: ModelSpec, x: np.ndarray, labels: np.ndarray, seed: int) -> DataLoader:
    """Shuffled and, where the recipe says so, augmented batches.

    A last batch of one poster would leave batch norm without a variance; it is dropped, and comes in another
    epoch.
    """
    recipe = spec.recipe
    normalise = partial(to_input, spec)
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
    """Posters in their order, as they are."""
    return DataLoader(ArrayDataset(x, labels), spec.recipe.batch_size, to_input=partial(to_input, spec))


def loss_of(spec: ModelSpec) -> Loss:
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
    """What the history shows of the validation posters beside the loss, each with "val_" before its name.

    Binary accuracy is not among them: it hardly moves, for naming no genre at all does about as well.
    """
    return {
        "macro_auc": metrics.macro_roc_auc(labels, probabilities),
        "macro_map": metrics.macro_average_precision(labels, probabilities),
    }
