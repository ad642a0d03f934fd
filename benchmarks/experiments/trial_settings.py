"""The settings of one trial."""

from __future__ import annotations

from dataclasses import dataclass

from poster_genre.data.augment import Augmentation


@dataclass(frozen=True)
class Settings:
    """One trial: the arguments of ``compact`` and of its recipe, and the other settings that ideas change.

    ``last``       filters of one more convolution at a quarter of the last stage's area; 0: none.
    ``squeeze``    squeeze-and-excitation in every block, with a bottleneck of channels / squeeze;
                   0: none.
    ``head``       how each channel of the last image is pooled: "average", "maximum" or "both".
    ``loss``       "bce", "focal" (gamma 1 for both) or "asymmetric" (gamma 2 for negatives only).
    ``precision``  "bfloat16" for convolutions and their gradients (half the time where the processor has it),
                   or "float32", as minicnn computes; weights and sums are float32 in both.
    ``initial``    of the stem, the projections and the last convolution: "he", or "torch", PyTorch's default,
                   whose weights are 2.4 times smaller. The norm behind them undoes the scale, but smaller
                   weights change direction faster under the same learning rate.
    ``stem``       filters of the stem; 0: as many as the first stage has.
    ``mixup``      "posters": every poster of a batch has its own mixing share; "batches": all have the same.
    ``momentum``   "constant" (0.9), or "cycle": AdamW's beta1 goes from 0.95 to 0.85 and back while the
                   learning rate rises and falls.
    ``share``      the part of the train split that is trained on, the first rows of it.
    ``sampling``   "natural", or "balanced": a genre is drawn evenly, then one of its posters.
    """

    height: int = 60
    width: int = 40
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (1, 1, 1)
    stem_stride: int = 2
    stem_size: int = 3
    stem: int = 0
    initial: str = "he"
    momentum: str = "constant"
    mixup: str = "posters"
    last: int = 0
    squeeze: int = 0
    head: str = "both"
    dropout: float = 0.3
    epochs: int = 8
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    clip_norm: float = 5.0
    ema_decay: float = 0.998
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.2
    loss: str = "bce"
    sampling: str = "natural"
    flip: float = 0.5
    min_area: float = 0.6
    aspect: float = 1.15
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    erase: float = 0.0
    shift: float = 0.0
    precision: str = "bfloat16"
    share: float = 1.0

    def augmentation(self) -> Augmentation:
        """The augmentation with this trial's rates and bounds."""
        return Augmentation(
            self.flip,
            self.min_area,
            self.aspect,
            self.brightness,
            self.contrast,
            self.saturation,
            self.erase,
            self.shift,
        )
