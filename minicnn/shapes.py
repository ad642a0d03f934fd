"""How windows lie on images: their settings, output sizes, and the geometry that kernels receive."""

from __future__ import annotations

from typing import Any, NamedTuple

from minicnn.argument_checks import Pair, check_shape, pair, positive_int

# Padding in pixels: ((top, bottom), (left, right)).
Pads = tuple[Pair, Pair]
# Padding as a layer takes it: also "same", "valid", p, (vertical, horizontal).
Padding = str | int | Pair | Pads
Shape4 = tuple[int, int, int, int]


def channels_last(ndim: int, channels: int) -> tuple[int | str, ...]:
    """The shape of images (N, H, W, channels) where ``ndim`` is 4, else that of rows (N, channels)."""
    return ("N", "H", "W", channels) if ndim == 4 else ("N", channels)


def check_padding(name: str, padding: Any) -> Padding:
    """``"same"``, ``"valid"``, p, (p_vertical, p_horizontal) or ((top, bottom), (left, right)), validated."""
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise ValueError(
                f'{name}: padding must be "same", "valid", an integer or pairs of them, got {padding!r}'
            )
        return padding
    if (
        isinstance(padding, (tuple, list))
        and len(padding) == 2
        and all(isinstance(side, (tuple, list)) for side in padding)
    ):
        return pair(name, "padding", padding[0], 0), pair(name, "padding", padding[1], 0)
    return pair(name, "padding", padding, 0)


def check_groups(name: str, groups: Any, in_channels: int, out_channels: int) -> int:
    """``groups`` as a positive int. Raises ValueError where it does not divide both channel counts."""
    groups = positive_int(name, "groups", groups)
    if in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name}: groups must divide both channel counts, got groups={groups} for "
            f"{in_channels} -> {out_channels} channels"
        )
    return groups


def effective_kernel(kernel: int, dilation: int) -> int:
    """Pixels that a dilated kernel spans: ``(kernel - 1) * dilation + 1``."""
    return (kernel - 1) * dilation + 1


def resolve_padding(
    padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)
) -> Pads:
    """Padding as ((top, bottom), (left, right)) in pixels for an image of ``size`` (height, width).

    "same" is Keras's: the output has ceil(size / stride) pixels, and where the total is odd the extra
    pixel goes to the bottom and to the right.
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        sides = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + effective_kernel(k, d) - n, 0)
            sides.append((total // 2, total - total // 2))
        return sides[0], sides[1]
    if isinstance(padding, str):
        raise ValueError(f'padding must be "same", "valid", an integer or pairs of them, got {padding!r}')
    vertical, horizontal = (padding, padding) if isinstance(padding, int) else padding
    if isinstance(vertical, tuple) and isinstance(horizontal, tuple):
        return vertical, horizontal
    return (vertical, vertical), (horizontal, horizontal)  # type: ignore[return-value]


def output_size(
    name: str, size: Pair, kernel: Pair, stride: Pair, pads: Pads, dilation: Pair = (1, 1)
) -> Pair:
    """``floor((n + before + after - effective_kernel) / stride) + 1`` for height and width.

    Raises ValueError where the kernel does not fit into the padded image.
    """
    out = []
    for n, k, s, (before, after), d in zip(size, kernel, stride, pads, dilation, strict=True):
        room = n + before + after - effective_kernel(k, d)
        if room < 0:
            raise ValueError(
                f"{name}: the kernel spans {effective_kernel(kernel[0], dilation[0])}x"
                f"{effective_kernel(kernel[1], dilation[1])} pixels but the padded image has only "
                f"{size[0] + sum(pads[0])}x{size[1] + sum(pads[1])}; use a smaller kernel or more padding"
            )
        out.append(room // s + 1)
    return out[0], out[1]


def describe_windows(
    kernel: Pair,
    stride: Pair,
    padding: Padding,
    dilation: Pair = (1, 1),
    groups: int = 1,
    *,
    default_stride: Pair = (1, 1),
) -> list[str]:
    """The settings of windows, each in a few words; those that have their defaults are left out."""
    words = ["x".join(map(str, kernel))]
    if stride != default_stride:
        words.append(f"stride={stride}")
    if padding != "valid":
        words.append(f"padding={padding!r}")
    if dilation != (1, 1):
        words.append(f"dilation={dilation}")
    if groups > 1:
        words.append(f"groups={groups}")
    return words


class ConvGeometry(NamedTuple):
    """How the filters of a convolution lie on an image. Pairs are (vertical, horizontal).

    ``image``        (H, W) of x (N, H, W, in_channels)
    ``kernel``       (kh, kw) of w (kh, kw, in_channels / groups, out_channels)
    ``stride``       pixels from one window to the next
    ``padding``      pixels of zeros around the image, ((top, bottom), (left, right))
    ``dilation``     pixels from one cell of the kernel to the next
    ``groups``       the channels are cut into this many groups, and filters read only their own
    ``output``       (OH, OW) of y (N, OH, OW, out_channels), see ``output_size``

    For output pixel (i, j), cell (p, q) of the kernel lies over pixel (h, v) of the image, where
        h = i * stride[0] + p * dilation[0] - top,    v = j * stride[1] + q * dilation[1] - left.

    ``ConvGeometry.of`` computes one from shapes and settings. All numbers are Python's ints. Compiled kernels
    take ``tuple(geometry)``, which Numba unpacks faster than a class, and read ``ConvGeometry(*geometry)``.
    """

    image: Pair
    in_channels: int
    kernel: Pair
    stride: Pair
    padding: Pads
    dilation: Pair
    groups: int
    output: Pair
    out_channels: int

    @classmethod
    def of(
        cls,
        x_shape: tuple[int, ...],
        w_shape: tuple[int, ...],
        stride: int | Pair = 1,
        padding: Padding = "valid",
        dilation: int | Pair = 1,
        groups: int = 1,
        *,
        name: str = "ConvGeometry",
    ) -> ConvGeometry:
        """The geometry for images x (N, H, W, C) and filters w (kh, kw, C / groups, O).

        Raises ValueError or TypeError, which begin with ``name``, for settings that do not exist, shapes that
        do not fit each other and kernels that are larger than the padded image.
        """
        check_shape(f"{name}, weight", w_shape, ("kh", "kw", "C / groups", "O"))
        groups, out_channels = positive_int(name, "groups", groups), int(w_shape[3])
        in_channels = int(w_shape[2]) * groups
        check_groups(name, groups, in_channels, out_channels)
        check_shape(name, x_shape, ("N", "H", "W", in_channels))
        image, kernel = (int(x_shape[1]), int(x_shape[2])), pair(name, "kernel_size", w_shape[:2])
        stride, dilation = pair(name, "stride", stride), pair(name, "dilation", dilation)
        pads = resolve_padding(check_padding(name, padding), image, kernel, stride, dilation)
        output = output_size(name, image, kernel, stride, pads, dilation)
        return cls(image, in_channels, kernel, stride, pads, dilation, groups, output, out_channels)

    def x_shape(self, images: int) -> Shape4:
        """(N, H, W, in_channels)."""
        return images, *self.image, self.in_channels

    def y_shape(self, images: int) -> Shape4:
        """(N, OH, OW, out_channels)."""
        return images, *self.output, self.out_channels

    @property
    def w_shape(self) -> Shape4:
        """(kh, kw, in_channels / groups, out_channels)."""
        return *self.kernel, self.in_channels // self.groups, self.out_channels

    def transposed(self) -> ConvGeometry:
        """The convolution of dy that computes dx, with the filters rotated by 180 degrees; for stride 1 only.

        dx[h] sums dy[h + top - p * dilation] * w[p] over p. With q = kernel - 1 - p, the cell of the rotated
        filter, that is dy[h + q * dilation - before] with before = (kernel - 1) * dilation - top.
        """
        pads = tuple(
            (effective_kernel(k, d) - 1 - before, effective_kernel(k, d) - 1 - after)
            for k, d, (before, after) in zip(self.kernel, self.dilation, self.padding, strict=True)
        )
        return self._replace(
            image=self.output,
            in_channels=self.out_channels,
            padding=(pads[0], pads[1]),
            output=self.image,
            out_channels=self.in_channels,
        )

    def describe(self) -> str:
        """Channels, image and output, kernel and the settings that have an effect, in one line."""
        return f"{self.in_channels} -> {self.out_channels} channels, {_describe(self)}"


class PoolGeometry(NamedTuple):
    """How the windows of a pooling layer lie on an image. Pairs are (vertical, horizontal).

    ``image`` (H, W) of x (N, H, W, C), ``kernel`` the size of a window, ``stride`` pixels from one window to
    the next, ``padding`` in pixels ((top, bottom), (left, right)), ``output`` (OH, OW) of y (N, OH, OW, C).
    Every window contains at least one pixel of the image. Windows lie as those of a ``ConvGeometry`` do.
    """

    image: Pair
    kernel: Pair
    stride: Pair
    padding: Pads
    output: Pair

    @classmethod
    def of(
        cls,
        x_shape: tuple[int, ...],
        size: int | Pair,
        stride: int | Pair | None = None,
        padding: Padding = "valid",
        *,
        name: str = "PoolGeometry",
    ) -> PoolGeometry:
        """The geometry for images x (N, H, W, C); ``stride`` is ``size`` unless given.

        Raises ValueError or TypeError, which begin with ``name``, as ``ConvGeometry.of`` does, and ValueError
        where a window would lie wholly outside the image.
        """
        check_shape(name, x_shape, ("N", "H", "W", "C"))
        image, kernel = (int(x_shape[1]), int(x_shape[2])), pair(name, "size", size)
        step = kernel if stride is None else pair(name, "stride", stride)
        pads = resolve_padding(check_padding(name, padding), image, kernel, step)
        output = output_size(name, image, kernel, step, pads)
        for n, k, s, (before, _), o in zip(image, kernel, step, pads, output, strict=True):
            if before >= k or (o - 1) * s - before >= n:
                raise ValueError(
                    f"{name}: with padding {padding!r} a window of {kernel[0]}x{kernel[1]} pixels "
                    f"on a {image[0]}x{image[1]} image would lie wholly outside it; use less padding"
                )
        return cls(image, kernel, step, pads, output)

    @property
    def dilation(self) -> Pair:
        """(1, 1): the cells of a window lie next to each other."""
        return 1, 1

    @property
    def groups(self) -> int:
        """1: every channel has the same windows."""
        return 1

    def x_shape(self, images: int, channels: int) -> Shape4:
        """(N, H, W, C)."""
        return images, *self.image, channels

    def y_shape(self, images: int, channels: int) -> Shape4:
        """(N, OH, OW, C)."""
        return images, *self.output, channels

    def describe(self) -> str:
        """Image and output, size of the windows and the settings that have an effect, in one line."""
        return _describe(self)


Geometry = ConvGeometry | PoolGeometry


def _describe(geometry: Geometry) -> str:
    padding: Padding = "valid" if geometry.padding == ((0, 0), (0, 0)) else geometry.padding
    sizes = " -> ".join(f"{height}x{width}" for height, width in (geometry.image, geometry.output))
    windows = describe_windows(geometry.kernel, geometry.stride, padding, geometry.dilation, geometry.groups)
    return ", ".join([f"{sizes} pixels", *windows])
