"""The PyTorch script that ``startup`` runs: one poster in, its three most probable genres out.

``python -m benchmarks.torch_predict MODEL.pt POSTER.jpg`` does the same as ``poster-genre predict``, written
as a user of PyTorch would, without minicnn.
"""

from __future__ import annotations

import json
import sys

import numpy as np
import torch
from PIL import Image


def main(model_file: str, poster: str) -> None:
    """Print the three most probable genres as JSON."""
    # weights_only=False can run code from the file, which the benchmark itself has written.
    saved = torch.load(model_file, weights_only=False)
    torch.set_num_threads(saved["threads"])
    height, width = saved["input_size"]
    with Image.open(poster) as image:
        pixels = np.asarray(
            image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC), np.float32
        )
    x = torch.from_numpy((pixels / 255 - saved["mean"]) / saved["std"]).float().permute(2, 0, 1)[None]
    with torch.inference_mode():
        views = [x, x.flip(3)] if saved["flip_average"] else [x]
        p = torch.stack([torch.sigmoid(saved["module"](view)) for view in views]).mean(0)[0]
    order = torch.argsort(p, descending=True)[:3]
    print(json.dumps({saved["genres"][i]: float(p[i]) for i in order.tolist()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
