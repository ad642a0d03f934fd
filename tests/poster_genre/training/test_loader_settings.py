"""The settings that a resumed run must repeat hold everything that decides the training batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from minicnn.training.run_settings import differences
from minicnn.training.settings_json import settings_of
from poster_genre.model.spec import ModelSpec, Recipe
from poster_genre.training.fit import training_loader


def loader_settings(spec: ModelSpec) -> dict[str, Any]:
    x, labels = np.zeros((4, *spec.input_size, 3), np.uint8), np.zeros((4, 25), np.uint8)
    return settings_of(training_loader(spec, x, labels, seed=0))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"augmentation": {"flip": 0.1}}, "augment.flip was 0.5 and is now 0.1"),
        ({"augmentation": {"erase": 0.3}}, "augment.erase was 0.0 and is now 0.3"),
        ({"mixup_alpha": 0.4}, "batch_augment.captured.mix.alpha was 0.2 and is now 0.4"),
    ],
)
def test_the_rates_of_augmentation_and_mixup_are_settings(change: dict[str, Any], name: str) -> None:
    recipe = Recipe(epochs=1, augmentation={"flip": 0.5}, mixup_alpha=0.2)
    spec = ModelSpec("compact", (16, 12), logits=True, recipe=recipe)
    changed = replace(spec, recipe=replace(recipe, **change))
    assert name in differences(loader_settings(spec), loader_settings(changed))


def test_the_normalisation_is_a_setting() -> None:
    spec = ModelSpec("compact", (16, 12), logits=True, recipe=Recipe(epochs=1))
    changed = replace(spec, std=(0.5, 1.0, 1.0))
    expected = "to_input.of.std.0 was 1.0 and is now 0.5"
    assert differences(loader_settings(spec), loader_settings(changed)) == [expected]
