"""The summary: shapes and counts as the forward pass has them, and a table that reads well."""

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.fusion.rewrite import SWITCH, fuse
from minicnn.kernels import algorithms
from minicnn.kernels.compiled import patches
from minicnn.kernels.simd import implicit_gemm
from minicnn.kernels.simd.emitter import WIDTH
from minicnn.kernels.winograd import forward as winograd_forward
from minicnn.layer import Layer, Parameter
from minicnn.layers.activation import ReLU, Sigmoid
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.normalization import BatchNorm
from minicnn.layers.pooling import GlobalAveragePool2D, MaxPool2D
from minicnn.layers.reshape import Flatten, Identity
from minicnn.summary import convolution_methods, layer_rows, multiply_adds, summary

INPUT = (20, 16, 3)


def make_model(dtype=np.float32):
    def conv(i, o, **options):
        return Conv2D(i, o, 3, padding="same", rng=0, dtype=dtype, backend="numpy", **options)

    body = Sequential({"conv": conv(8, 12, stride=2), "norm": BatchNorm(12, dtype=dtype, backend="numpy")})
    gate = [GlobalAveragePool2D(keepdims=True), conv(12, 12, groups=4), Sigmoid()]
    return Sequential(
        {
            "stem": conv(3, 8),
            "block": Residual(body, Conv2D(8, 12, 1, stride=2, rng=0, dtype=dtype, backend="numpy")),
            "gate": Parallel({"x": Identity(), "gate": Sequential(gate)}, merge="multiply"),
            "pool": MaxPool2D(2, backend="numpy"),
            "flatten": Flatten(),
            "head": Dense(240, 5, rng=0, dtype=dtype),
        }
    )


def rows_by_name(model, input_shape=INPUT):
    return {row.name: row for row in layer_rows(model, input_shape)}


def test_every_layer_and_container_has_its_row_in_forward_order():
    names = [row.name for row in layer_rows(make_model(), INPUT)]
    assert names == [
        "stem",
        "block",
        "block.body",
        "block.body.conv",
        "block.body.norm",
        "block.projection",
        "gate",
        "gate.x",
        "gate.gate",
        "gate.gate.0",
        "gate.gate.1",
        "gate.gate.2",
        "pool",
        "flatten",
        "head",
    ]


def test_output_shapes_are_those_of_a_forward_pass():
    model, seen = make_model(), {}
    for name, layer in model.layers():

        def watched(x, training=False, record=None, name=name, forward=layer.forward):
            y = forward(x, training=training, record=record)
            seen[name] = y.shape[1:]
            return y

        layer.forward = watched
    model.forward(np.zeros((2, *INPUT), np.float32))
    rows = rows_by_name(model)
    assert seen == {name: rows[name].output_shape for name in seen}
    assert len(seen) == 11


def test_parameters_add_up_to_the_models():
    model = make_model()
    total = sum(parameter.data.size for parameter in model.parameters().values())
    assert sum(row.parameters for row in layer_rows(model, INPUT)) == total


def test_multiply_adds_are_the_textbooks():
    rows = rows_by_name(make_model())
    assert rows["stem"].multiply_adds == 3 * 3 * 3 * 8 * 20 * 16
    assert rows["block.body.conv"].multiply_adds == 3 * 3 * 8 * 12 * 10 * 8
    assert rows["block.projection"].multiply_adds == 1 * 1 * 8 * 12 * 10 * 8
    assert rows["gate.gate.1"].multiply_adds == 3 * 3 * (12 // 4) * 12
    assert rows["head"].multiply_adds == 240 * 5
    assert rows["block.body.norm"].multiply_adds == rows["pool"].multiply_adds == 0
    assert multiply_adds(Dense(7, 3, rng=0), (1, 3)) == 21


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 4), (np.float64, 8)])
def test_activation_memory_counts_new_arrays_only(dtype, size):
    rows = rows_by_name(make_model(dtype))
    assert rows["stem"].activation_bytes == 20 * 16 * 8 * size
    assert rows["block"].activation_bytes == 10 * 8 * 12 * size
    assert rows["gate.gate.1"].activation_bytes == 12 * size
    assert rows["flatten"].activation_bytes == rows["gate.x"].activation_bytes == 0
    assert rows["block.body"].activation_bytes == 0


def test_the_table_indents_members_and_ends_with_totals():
    model = make_model()
    text = summary(model, INPUT)
    lines = text.splitlines()
    assert lines[0] == "Sequential, input 20 x 16 x 3"
    assert any(line.startswith(" body ") for line in lines)
    assert any(line.startswith("  conv       Conv2D(8->12, 3x3, stride=2, same)") for line in lines)
    assert any(line.startswith("head ") and "1,205" in line and "1,200" in line for line in lines)
    total = sum(parameter.data.size for parameter in model.parameters().values())
    assert f"parameters     {total:,} ({total:,} trainable)" in text
    assert "buffers        24, 96 B" in text
    assert all(line == line.rstrip() for line in lines)


def residual_network():
    """A residual network of usual widths, its blocks nested three deep."""

    def conv(i, o, size=3, **options):
        return Conv2D(i, o, size, padding="same", bias=False, rng=0, **options)

    def block(i, o):
        body = {
            "conv1": conv(i, o),
            "norm1": BatchNorm(o),
            "relu1": ReLU(),
            "conv2": conv(o, o),
            "norm2": BatchNorm(o),
        }
        way = None if i == o else Sequential({"conv": conv(i, o, 1), "norm": BatchNorm(o)})
        return Sequential({"block": Residual(Sequential(body), way), "relu": ReLU()})

    return Sequential(
        {
            "stem": conv(3, 128, stride=2),
            "stem_norm": BatchNorm(128),
            "stem_relu": ReLU(),
            "pool": MaxPool2D(2),
            "stage1": block(128, 128),
            "stage2": block(128, 512),
            "wide": conv(512, 512, groups=512),
            "average": GlobalAveragePool2D(),
            "genres": Dense(512, 25, rng=0),
        }
    )


BIG = (224, 160, 3)


def test_the_table_of_a_deep_network_is_at_most_110_columns_wide():
    assert max(map(len, summary(residual_network(), BIG).splitlines())) <= 110


def test_it_says_how_each_convolution_is_computed_in_which_pass_and_why():
    methods = {method.name: method for method in convolution_methods(residual_network(), BIG)}
    assert {name: (method.algorithm, method.together_with) for name, method in methods.items()} == {
        "stem": ("implicit", ("stem_norm", "stem_relu", "pool")),
        "stage1.block.body.conv1": ("winograd", ("stage1.block.body.norm1", "stage1.block.body.relu1")),
        "stage1.block.body.conv2": ("winograd", ("stage1.block.body.norm2",)),
        "stage2.block.body.conv1": ("winograd", ("stage2.block.body.norm1", "stage2.block.body.relu1")),
        "stage2.block.body.conv2": ("winograd", ("stage2.block.body.norm2",)),
        "stage2.block.projection.conv": ("patches", ("stage2.block.projection.norm",)),
        "wide": ("depthwise", ()),
    }
    lines = summary(residual_network(), BIG).splitlines()
    for name, method in methods.items():
        [line] = [line for line in lines if line.startswith(f"{name} ") and method.reason in line]
        assert f" {method.algorithm} " in line
        assert ", ".join(part.rpartition(".")[2] for part in method.together_with) in line


def test_it_says_what_the_environment_and_the_layers_make_of_a_convolution(monkeypatch):
    def described(**options):
        layers = [Conv2D(16, WIDTH, 3, rng=0, **options), BatchNorm(WIDTH, dtype=options.get("dtype", "f4"))]
        [method] = convolution_methods(Sequential(layers), (12, 12, 16))
        assert method.alone == (method.algorithm, method.reason)
        return method[1:4]

    assert described() == ("winograd", ("1",), "a quarter of the multiplications")
    assert described(dtype=np.float64) == ("patches", (), "float64 is for precision, not speed")
    assert described(backend="naive") == ("naive", (), "the backend is 'naive'")
    assert described(backend="numpy") == ("im2col", (), "the backend is 'numpy'")
    monkeypatch.setenv(algorithms.FORCED, "implicit")
    assert described() == ("implicit", ("1",), "MINICNN_CONVOLUTION is set")
    monkeypatch.setenv(SWITCH, "off")
    assert described() == ("implicit", (), "MINICNN_CONVOLUTION is set")
    monkeypatch.setenv("MINICNN_BACKEND", "numpy")
    assert described() == ("im2col", (), "the backend is 'numpy'")


def test_the_algorithm_said_is_the_one_that_runs(monkeypatch):
    ran = []
    for name, module in {"winograd": winograd_forward, "implicit": implicit_gemm}.items():
        compute = module.compute
        monkeypatch.setattr(module, "compute", lambda *a, n=name, c=compute, **k: ran.append(n) or c(*a, **k))
    patched = patches.conv2d_forward
    monkeypatch.setattr(patches, "conv2d_forward", lambda *a: ran.append("patches") or patched(*a))
    for force in ("", "patches", "implicit", "winograd"):
        monkeypatch.setenv(algorithms.FORCED, force)
        for size, stride, shape in [
            (3, 1, (9, 9, 8)),
            (3, 2, (9, 9, 8)),
            (1, 1, (9, 9, 8)),
            (3, 1, (3, 3, 8)),
        ]:
            model = Sequential([Conv2D(8, WIDTH, size, stride=stride, rng=0), BatchNorm(WIDTH)])
            [method] = convolution_methods(model, shape)
            for runs in (model, fuse(model)):
                ran.clear()
                runs.forward(np.zeros((2, *shape), np.float32))
                assert ran == [method.algorithm]


def test_a_convolution_that_runs_otherwise_for_one_image_says_so_below_the_table():
    layer = Conv2D(512, 512, 3, padding="same", rng=0, init=lambda shape, rng, dtype: np.zeros(shape, dtype))
    shape = (6, 4, 512)
    [method] = convolution_methods(layer, shape)
    assert (method.algorithm, method.alone[0]) == ("winograd", "small_batch")
    lines = summary(layer, shape).splitlines()
    assert any(" winograd*  " in line for line in lines)
    assert lines[-1] == f"* a single image: small_batch, {method.alone[1]}"
    for images in (1, 64):
        assert layer.algorithm((images, *shape))[0] == ("small_batch" if images == 1 else "winograd")


def test_a_model_without_convolutions_has_one_table_only():
    assert "algorithm" not in summary(Dense(3, 4, rng=0), (3,))


def test_frozen_parameters_are_marked_and_not_counted_as_trainable():
    model = make_model()
    model["stem"].freeze()
    model["head"].bias.trainable = False
    text = summary(model, INPUT)
    total = sum(parameter.data.size for parameter in model.parameters().values())
    assert f"{total:,} ({total - 224 - 5:,} trainable)" in text
    assert "224 frozen" in text
    assert "1,205 part frozen" in text


def test_a_lone_layer_is_a_table_of_one_row():
    assert "Dense(3, 4)" in summary(Dense(3, 4, rng=0), (3,))


def test_parameters_that_a_container_owns_itself_are_counted():
    class Scaled(Sequential):
        def __init__(self, members):
            super().__init__(members)
            self.scale = Parameter(np.ones(3, np.float32))

    model = Sequential({"scaled": Scaled([ReLU()])})
    assert rows_by_name(model, (4, 4, 3))["scaled"].parameters == 3


def test_nothing_is_run_and_nothing_changes():
    model = make_model()
    before = {name: array.copy() for name, array in model.state().items()}
    model["stem"].forward = None
    summary(model, INPUT)
    for name, array in model.state().items():
        assert np.array_equal(array, before[name])


def test_the_layer_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match=r"summary, layer 'stem': Conv2D: "):
        summary(make_model(), (20, 16, 4))
    with pytest.raises(ValueError, match=r"summary, layer 'head': Dense: "):
        summary(make_model(), (24, 16, 3))
    nested = Sequential({"outer": Sequential({"inner": Dense(3, 2, rng=0)})})
    with pytest.raises(ValueError, match=r"summary, layer 'outer\.inner': Dense: "):
        summary(nested, (4,))


def test_branches_that_do_not_merge_are_blamed_on_their_container():
    model = Sequential({"sum": Parallel([Dense(3, 2, rng=0), Dense(3, 4, rng=0)])})
    with pytest.raises(ValueError, match="summary, layer 'sum': Parallel: branches to sum"):
        summary(model, (3,))


@pytest.mark.parametrize("wrong", [(), "abc", 5, (4, 4, 2.5), (True, 3)])
def test_an_input_shape_of_the_wrong_kind_is_a_type_error(wrong):
    with pytest.raises(TypeError, match="summary: "):
        summary(make_model(), wrong)


def test_sizes_below_one_and_things_that_are_no_model_are_refused():
    with pytest.raises(ValueError, match="input_shape must be at least 1"):
        summary(make_model(), (0, 16, 3))
    with pytest.raises(TypeError, match="expected a model"):
        summary(Layer, INPUT)


def test_a_root_that_merges_branches_has_a_row_of_its_own_and_its_members_are_below_it():
    model = Parallel({"a": Dense(3, 4, rng=0), "b": Dense(3, 2, rng=1)}, merge="concat")
    rows = layer_rows(model, (3,))
    assert [(row.name, row.depth, row.output_shape) for row in rows] == [
        ("", 0, (6,)),
        ("a", 1, (4,)),
        ("b", 1, (2,)),
    ]
    assert rows[0].activation_bytes == 6 * 4


def test_a_root_whose_branches_do_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="summary, the model: Residual: branches to sum must have one shape"):
        summary(Residual(Dense(3, 4, rng=0)), (3,))


def test_parameters_that_the_root_owns_itself_are_counted():
    model = Sequential([ReLU()])
    model.scale = Parameter(np.ones(3, np.float32))
    assert sum(row.parameters for row in layer_rows(model, (4, 4, 3))) == 3
