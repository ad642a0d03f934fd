"""The gradient checker: right gradients pass, wrong ones do not, and the command says so."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from minicnn import gradcheck, planted_bugs
from minicnn._gradcheck_catalogue import cases
from minicnn._gradcheck_float32 import float32_cases
from minicnn.containers import Sequential
from minicnn.gradcheck import (
    PlantedBug,
    PlantedLossBug,
    check_float32,
    check_layer,
    check_loss,
    check_model,
    numerical_gradient,
    relative_error,
    spread_input,
)
from minicnn.kernels import (
    activation,
    fused,
    implicit_gemm,
    normalization,
    patches,
    pooling,
    winograd,
    winograd_gradient,
)
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.dropout import Dropout
from minicnn.layers.normalization import BatchNorm
from minicnn.losses import MeanSquaredError

X = np.random.default_rng(0).standard_normal((3, 4))


def dense(fan_in: int = 4, fan_out: int = 2) -> Dense:
    return Dense(fan_in, fan_out, rng=1, dtype=np.float64)


def test_numerical_gradient_of_a_sum_of_sines_is_the_cosine() -> None:
    gradient = numerical_gradient(lambda x: float(np.sin(x).sum()), X)
    np.testing.assert_allclose(gradient, np.cos(X), rtol=1e-8)


def test_numerical_gradient_weighs_the_outputs_of_f_with_dy() -> None:
    dy = np.random.default_rng(1).standard_normal(X.shape)
    np.testing.assert_allclose(numerical_gradient(np.exp, X, dy=dy), dy * np.exp(X), rtol=1e-8)


def test_numerical_gradient_holds_where_f_returns_its_argument_itself() -> None:
    np.testing.assert_allclose(numerical_gradient(lambda x: x, X, dy=np.ones(X.shape)), 1, rtol=1e-9)


def test_numerical_gradient_does_not_change_x() -> None:
    x = X.copy()
    x.flags.writeable = False
    numerical_gradient(lambda values: float(values.sum()), x)
    np.testing.assert_array_equal(x, X)


def test_numerical_gradient_takes_float64_only() -> None:
    with pytest.raises(TypeError, match="float64"):
        numerical_gradient(lambda x: float(x.sum()), X.astype(np.float32))


@pytest.mark.parametrize("eps", [0, -1e-5, np.nan])
def test_numerical_gradient_needs_a_step(eps: float) -> None:
    with pytest.raises(ValueError, match="eps must be greater than 0"):
        numerical_gradient(lambda x: float(x.sum()), X, eps)


def test_relative_error_is_the_largest_difference_over_the_largest_gradient() -> None:
    assert relative_error(np.array([1.0, 4.0]), np.array([1.5, 3.0])) == pytest.approx(1 / 4)


def test_relative_error_of_tiny_gradients_is_taken_against_a_thousandth() -> None:
    assert relative_error(np.array([1e-9]), np.array([0.0])) == pytest.approx(1e-6)


def test_a_gradient_of_the_wrong_shape_has_an_infinite_error() -> None:
    assert relative_error(np.ones((2, 1)), np.ones((2, 3))) == np.inf


def test_a_gradient_that_is_nan_does_not_pass() -> None:
    assert not gradcheck.Result("Dense", "x", float("nan")).passed


@pytest.mark.parametrize("shape", [(1,), (3, 3), (2, 5, 4, 2), (7, 3)])
def test_the_spread_input_is_far_from_ties_and_from_zero(shape: tuple[int, ...]) -> None:
    x = spread_input(shape, 0)
    assert x.shape == shape
    gaps = np.diff(np.sort(np.append(x.ravel(), 0.0)))
    assert gaps.size == 0 or gaps.min() > 0.9 / x.size
    assert np.abs(x).max() < 3


def test_the_spread_input_depends_on_the_seed() -> None:
    assert (spread_input((4, 5), 0) != spread_input((4, 5), 1)).any()


def test_check_layer_names_every_parameter_and_the_input() -> None:
    results = check_layer(Sequential({"a": dense(), "b": Dense(2, 3, rng=0, dtype=np.float64)}), (3, 4))
    assert [result.tensor for result in results] == ["x", "a.weight", "a.bias", "b.weight", "b.bias"]
    assert all(result.passed and result.error < 1e-8 for result in results)


def test_check_layer_takes_an_input_or_a_shape() -> None:
    assert all(result.passed for result in check_layer(dense(), X))


def test_check_layer_passes_over_frozen_parameters() -> None:
    layer = dense()
    layer.weight.trainable = False
    assert [result.tensor for result in check_layer(layer, X)] == ["x", "bias"]


def test_check_layer_leaves_the_layer_as_it_was() -> None:
    layer = Sequential([BatchNorm(4, dtype=np.float64), Dropout(0.5, rng=3), dense()])
    layer.forward(X, training=True)
    layer.backward(np.ones(layer.forward(X, training=True).shape))
    before = [array.copy() for array in everything(layer)]
    check_layer(layer, X)
    for array, kept in zip(everything(layer), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def everything(layer: Sequential) -> list[np.ndarray]:
    rng: Any = layer[1]
    draws = np.array(list(rng.rng.bit_generator.state["state"].values()), object).astype(str)
    parameters = layer.parameters().values()
    return [*(p.data for p in parameters), *(p.grad for p in parameters), *layer.state().values(), draws]


def test_check_layer_refuses_float32() -> None:
    with pytest.raises(TypeError, match="check_float32"):
        check_layer(Dense(4, 2, rng=0), X)


def test_check_layer_refuses_an_unknown_tensor() -> None:
    with pytest.raises(ValueError, match="no tensor 'gamma'"):
        check_layer(dense(), X, tensors=["gamma"])


def test_a_kink_within_a_step_does_not_fail_a_right_gradient() -> None:
    assert all(result.passed for result in check_layer(ReLU(), np.array([[3e-6, 1.0, -1.0]])))


class WrongTanh(Tanh):
    """Forgets the square."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (y,) = self.recall()
        return dy * (1 - y)


class UncentredBatchNorm(Layer):
    """A batch norm whose backward forgets that mean and variance depend on x."""

    def forward(self, x: np.ndarray, training: bool = False, record: bool | None = None) -> np.ndarray:
        inv_std = 1 / np.sqrt(x.var(axis=0) + 1e-5)
        self.remember(inv_std, when=training if record is None else record)
        return (x - x.mean(axis=0)) * inv_std

    def backward(self, dy: np.ndarray) -> np.ndarray:
        (inv_std,) = self.recall()
        return dy * inv_std


class OverwritingDense(Dense):
    """Gives a bias gradient averaged over the batch where it should be summed."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        dx = super().backward(dy)
        self.bias.grad[...] = dy.mean(axis=0)
        return dx


@pytest.mark.parametrize(
    ("layer", "wrong"),
    [
        (WrongTanh(), ["x"]),
        (UncentredBatchNorm(), ["x"]),
        (OverwritingDense(4, 2, rng=0, dtype=np.float64), ["bias"]),
    ],
)
def test_a_wrong_backward_fails_in_the_tensor_that_is_wrong(layer: Layer, wrong: list[str]) -> None:
    assert [result.tensor for result in check_layer(layer, X) if not result.passed] == wrong


class ForgetfulDense(Dense):
    """Right the first time, but puts the gradient in place of what was there instead of adding it."""

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.bias.grad[...] = 0
        return super().backward(dy)


class Grudging(Dense):
    """Its input gradient grows with every backward."""

    past: float | np.ndarray = 0.0

    def backward(self, dy: np.ndarray) -> np.ndarray:
        self.past = self.past + super().backward(dy)
        return self.past


@pytest.mark.parametrize(("kind", "wrong"), [(ForgetfulDense, "bias"), (Grudging, "x")])
def test_a_gradient_that_is_right_only_the_first_time_fails(kind: type[Dense], wrong: str) -> None:
    def failed(results: list[gradcheck.Result]) -> list[str]:
        return [result.tensor for result in results if not result.passed]

    assert failed(check_layer(kind(4, 2, rng=0, dtype=np.float64), X)) == [wrong]
    layer = kind(4, 2, rng=0, dtype=np.float64)
    assert failed(check_model(layer, MeanSquaredError(), X, np.zeros((3, 2)))) == [wrong]
    assert failed(check_float32(kind(4, 2, rng=0), dense(), (3, 4))) == [wrong]


@pytest.mark.parametrize("tensor", ["x", "weight", "bias"])
def test_a_planted_bug_fails_in_its_tensor_alone(tensor: str) -> None:
    results = check_layer(PlantedBug(dense(), tensor), X)
    assert [result.tensor for result in results if not result.passed] == [tensor]


def test_a_planted_bug_needs_a_tensor_of_the_layer() -> None:
    with pytest.raises(ValueError, match="no tensor 'gamma'"):
        PlantedBug(dense(), "gamma")


def test_check_loss_passes_a_right_and_fails_a_wrong_gradient() -> None:
    assert check_loss(MeanSquaredError(), X, X + 1)[0].passed
    assert not check_loss(PlantedLossBug(MeanSquaredError()), X, X + 1)[0].passed


def test_check_model_checks_the_loss_of_the_whole_network() -> None:
    model = Sequential([dense(4, 3), Tanh(), Dropout(0.3, rng=0), Dense(3, 2, rng=2, dtype=np.float64)])
    target = np.zeros((3, 2))
    results = check_model(model, MeanSquaredError(), X, target)
    assert len(results) == 5
    assert all(result.error < 1e-8 for result in results)
    failed = [r for r in check_model(model, PlantedLossBug(MeanSquaredError()), X, target) if not r.passed]
    assert len(failed) > 0


def test_check_float32_holds_a_float32_layer_against_its_float64_twin() -> None:
    results = check_float32(
        Conv2D(2, 3, 3, rng=0), Conv2D(2, 3, 3, rng=9, dtype=np.float64, backend="naive"), (2, 5, 4, 2)
    )
    assert [result.tensor for result in results] == ["y", "x", "weight", "bias"]
    assert all(0 < result.error < 1e-5 for result in results)


def test_check_float32_gives_random_layers_the_same_numbers() -> None:
    assert all(result.passed for result in check_float32(Dropout(0.5, rng=0), Dropout(0.5, rng=1), (9, 9)))


@pytest.mark.parametrize("tensor", ["x", "weight", "bias"])
def test_check_float32_notices_a_planted_bug(tensor: str) -> None:
    results = check_float32(PlantedBug(Dense(4, 2, rng=0), tensor), dense(), (3, 4))
    assert [result.tensor for result in results if not result.passed] == [tensor]


def test_check_float32_refuses_a_twin_with_other_parameters() -> None:
    with pytest.raises(ValueError, match="must have the same parameters"):
        check_float32(Dense(4, 2, rng=0), Dense(4, 2, bias=False, rng=0, dtype=np.float64), (3, 4))


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.subject}: {case.setting}")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_every_gradient_of_the_table_is_right_to_eight_digits(case: Any, backend: str) -> None:
    results = case.run(backend)
    assert {result.tensor for result in results} == set(case.tensors())
    assert max(result.error for result in results) <= 1e-8


@pytest.mark.parametrize("case", float32_cases(), ids=lambda case: f"{case.subject}: {case.setting}")
def test_every_float32_gradient_of_the_table_is_right_to_five_digits(case: Any) -> None:
    results = case.run("numba")
    assert {result.tensor for result in results} == {"y", *case.tensors()}
    assert max(result.error for result in results) <= 1e-5


def test_the_float32_rows_reach_every_algorithm_forward_and_backward() -> None:
    for tensor in ("y", "x", "weight"):
        reached = {case.algorithm("numba", tensor) for case in float32_cases()}
        assert {"winograd", "implicit", "patches", "depthwise", "fused"} <= reached


def halved(kernel: Any) -> Any:
    def wrong(*arguments: Any, **named: Any) -> Any:
        out = kernel(*arguments, **named)
        if isinstance(out, fused.Gradients):
            return out._replace(dz=out.dz * np.float32(0.5))
        return out * np.float32(0.5)

    return wrong


@pytest.mark.parametrize(
    ("home", "kernel", "wrong"),
    [
        (winograd, "forward", "y"),
        (winograd, "backward_input", "x"),
        (winograd_gradient, "backward_weight", "weight"),
        (implicit_gemm, "forward", "y"),
        (implicit_gemm, "backward_input", "x"),
        (implicit_gemm, "backward_weight", "weight"),
        (patches, "conv2d_backward_input", "x"),
        (patches, "conv2d_backward_weight", "weight"),
        (pooling, "maxpool2d_backward", "x"),
        (pooling, "averagepool2d_backward", "x"),
        (activation, "relu_backward", "x"),
        (normalization, "batchnorm_input_gradient", "x"),
        (fused, "backward", "0.weight"),
    ],
)
def test_half_a_gradient_in_any_kernel_that_trains_fails_in_float32(
    monkeypatch: pytest.MonkeyPatch, home: Any, kernel: str, wrong: str
) -> None:
    monkeypatch.setattr(home, kernel, halved(getattr(home, kernel)))
    failed = {r.tensor for case in float32_cases() for r in case.run("numba") if not r.passed}
    assert wrong in failed


def test_the_table_covers_every_layer_and_loss_of_the_library() -> None:
    import minicnn.containers
    import minicnn.fusion
    import minicnn.layers.activation
    import minicnn.layers.conv
    import minicnn.layers.dense
    import minicnn.layers.dropout
    import minicnn.layers.normalization
    import minicnn.layers.pooling
    import minicnn.layers.reshape
    import minicnn.losses

    layers = minicnn.layers
    homes = [layers.activation, layers.conv, layers.dense, layers.dropout, layers.normalization]
    homes += [layers.pooling, layers.reshape, minicnn.containers, minicnn.losses, minicnn.fusion]
    bases = {"Activation", "Container", "BinaryLoss", "Block"}
    public = {
        name
        for home in homes
        for name, value in vars(home).items()
        if isinstance(value, type)
        and issubclass(value, (Layer, minicnn.losses.Loss))
        and value.__module__ == home.__name__
        and not name.startswith("_")
        and value is not minicnn.losses.Loss
    }
    assert public - bases == {case.subject for case in [*cases(), *float32_cases()]}


def table(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = gradcheck.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_the_command_prints_a_row_for_each_tensor_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = table("--layer", "dense", capsys=capsys)
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()[1:6]] == ["ok"] * 5
    assert "5 gradients checked, 0 failed" in out


def test_the_command_checks_one_backend_where_asked(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = table("--layer", "BatchNorm", "--backend", "naive", capsys=capsys)
    assert "naive" in out
    assert "numpy" not in out


def test_the_table_shows_dtype_and_algorithm(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = table("--layer", "Conv2D", "--backend", "numba", capsys=capsys)
    rows = [line.split()[-6:-1] for line in out.splitlines() if line.startswith("Conv2D")]
    assert {tuple(row[:3]) for row in rows} >= {
        ("numba", "float64", "patches"),
        ("numba", "float32", "winograd"),
        ("numba", "float32", "implicit"),
    }


def test_a_layer_without_kernels_of_the_backend_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = table("--layer", "FusedSequential", "--backend", "naive", capsys=capsys)
    assert (code, out) == (2, "")
    assert err == "error: FusedSequential has no naive kernels\n"


def test_an_unknown_layer_is_one_sentence_and_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = table("--layer", "Conv3D", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Conv3D" in err
    assert "Conv2D" in err


def test_planted_bugs_read_fail_and_the_exit_code_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("Dense", "MeanSquaredError", "Parallel", "MaxPool2D", "FusedSequential"):
        code, out, _ = table("--plant-bug", "--layer", name, "--backend", "numba", capsys=capsys)
        rows = [line for line in out.splitlines() if line.startswith(name)]
        assert code == 1
        assert all(row.endswith("FAIL") for row in rows)
        assert f"{len(rows)} bugs planted, {len(rows)} caught, 0 escaped" in out


def test_a_planted_bug_that_escapes_is_reported_and_exits_zero(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted_bugs, "_disturbed", lambda gradient, rng: gradient.copy())
    code, out, _ = table("--plant-bug", "--layer", "Dense", capsys=capsys)
    assert code == 0
    assert "5 escaped" in out
    assert "error of the checker" in out


def test_a_wrong_layer_makes_the_command_fail(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Tanh, "backward", WrongTanh.backward)
    code, out, _ = table("--layer", "Tanh", capsys=capsys)
    assert code == 1
    assert "FAIL" in out


def test_the_module_runs_as_a_command_and_survives_a_closed_pipe() -> None:
    command = [sys.executable, "-m", "minicnn.gradcheck", "--layer", "ReLU"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    announced = [line for line in done.stderr.splitlines() if line]
    assert done.returncode == 0
    assert all(line.startswith("minicnn: ") for line in announced)  # that kernels compile, at most
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
