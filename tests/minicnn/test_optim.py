"""Optimisers: PyTorch step by step, and each formula once more in plain float64."""

import math

import numpy as np
import pytest

import minicnn.kernels.runtime.chunks
from minicnn.layer import Parameter
from minicnn.optim import (
    SGD,
    Adam,
    AdamW,
    Optimizer,
    RMSProp,
    clip_gradients,
)

SHAPES = {"conv.weight": (3, 3, 4, 5), "conv.bias": (5,), "dense.weight": (7, 6)}


def make_parameters(dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: Parameter(rng.standard_normal(shape).astype(dtype), decay=not name.endswith("bias"))
        for name, shape in SHAPES.items()
    }


def random_gradients(parameters, rng):
    for parameter in parameters.values():
        parameter.grad[...] = rng.standard_normal(parameter.data.shape)


CASES = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "momentum": 0.9}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.05}),
    (SGD, {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.05}),
    (SGD, {"lr": 0.1, "weight_decay": 0.05}),
    (RMSProp, {"lr": 0.02}),
    (RMSProp, {"lr": 0.02, "alpha": 0.9, "eps": 1e-6, "momentum": 0.7, "weight_decay": 0.05}),
    (Adam, {"lr": 0.01}),
    (Adam, {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.05}),
    (AdamW, {"lr": 0.01}),
    (AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.2}),
]
IDS = [f"{kind.__name__}-{'-'.join(options)}" for kind, options in CASES]


@pytest.mark.oracle
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_ten_steps_equal_pytorch(kind, options, dtype):
    torch = pytest.importorskip("torch")
    parameters = make_parameters(dtype)
    mirrored = {name: torch.nn.Parameter(torch.tensor(p.data)) for name, p in parameters.items()}
    optimizer = kind(parameters, **options)
    decay = optimizer.weight_decay
    groups = [
        {"params": [mirrored[name]], "weight_decay": decay if parameter.decay else 0.0}
        for name, parameter in parameters.items()
    ]
    peer_kind = getattr(torch.optim, {"RMSProp": "RMSprop"}.get(kind.__name__, kind.__name__))
    peer = peer_kind(groups, **{key: value for key, value in options.items() if key != "weight_decay"})
    rng = np.random.default_rng(1)
    for _ in range(10):
        random_gradients(parameters, rng)
        for name, parameter in parameters.items():
            mirrored[name].grad = torch.tensor(parameter.grad)
        optimizer.step()
        peer.step()
        for name, parameter in parameters.items():
            np.testing.assert_allclose(
                parameter.data,
                mirrored[name].detach().numpy(),
                rtol=0,
                atol=2e-6 if dtype == np.float32 else 1e-13,
                err_msg=name,
            )


@pytest.mark.oracle
def test_a_parameter_that_thaws_late_follows_pytorch():
    torch = pytest.importorskip("torch")
    parameters = make_parameters()
    late = parameters["dense.weight"]
    late.trainable = False
    mirrored = torch.nn.Parameter(torch.tensor(late.data))
    optimizer, peer = Adam(parameters, 0.1), torch.optim.Adam([mirrored], 0.1)
    rng = np.random.default_rng(2)
    for step in range(6):
        random_gradients(parameters, rng)
        late.trainable = step >= 3
        mirrored.grad = torch.tensor(late.grad) if late.trainable else None
        optimizer.step()
        peer.step()
    np.testing.assert_allclose(late.data, mirrored.detach().numpy(), rtol=1e-12)


def textbook(kind, options, w, gradients, decay):
    """The formulas of the papers, on one array, written without a thought for speed."""
    lr, v, s, m = options["lr"], np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    for t, g in enumerate(gradients, start=1):
        if kind is not AdamW:
            g = g + decay * w
        if kind is SGD:
            mu = options.get("momentum", 0.0)
            v = mu * v + g
            w = w - lr * (g + mu * v if options.get("nesterov") else v)
        elif kind is RMSProp:
            alpha = options.get("alpha", 0.99)
            s = alpha * s + (1 - alpha) * g**2
            v = options.get("momentum", 0.0) * v + g / (np.sqrt(s) + options.get("eps", 1e-8))
            w = w - lr * v
        else:
            beta1, beta2 = options.get("betas", (0.9, 0.999))
            if kind is AdamW:
                w = w - lr * decay * w
            m = beta1 * m + (1 - beta1) * g
            s = beta2 * s + (1 - beta2) * g**2
            corrected_m, corrected_s = m / (1 - beta1**t), s / (1 - beta2**t)
            w = w - lr * corrected_m / (np.sqrt(corrected_s) + options.get("eps", 1e-8))
    return w


@pytest.mark.parametrize("decay_all", [False, True])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_ten_steps_equal_the_textbook_formula(kind, options, decay_all):
    parameters = make_parameters()
    start = {name: parameter.data.copy() for name, parameter in parameters.items()}
    optimizer = kind(parameters, decay_all=decay_all, **options)
    rng = np.random.default_rng(3)
    gradients = {name: [] for name in parameters}
    for _ in range(10):
        random_gradients(parameters, rng)
        for name, parameter in parameters.items():
            gradients[name].append(parameter.grad.copy())
        optimizer.step()
    for name, parameter in parameters.items():
        decay = optimizer.weight_decay if parameter.decay or decay_all else 0.0
        expected = textbook(kind, options, start[name], gradients[name], decay)
        np.testing.assert_allclose(parameter.data, expected, rtol=1e-11, atol=1e-13, err_msg=name)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSProp])
def test_biases_decay_only_when_asked(kind):
    for decay_all in (False, True):
        parameters = make_parameters()
        bias, weight = parameters["conv.bias"], parameters["conv.weight"]
        before, weight_before = bias.data.copy(), weight.data.copy()
        kind(parameters, lr=0.1, weight_decay=0.5, decay_all=decay_all).step()
        assert np.array_equal(bias.data, before) is not decay_all
        assert not np.array_equal(weight.data, weight_before)


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_a_frozen_parameter_does_not_move(kind, options):
    parameters = make_parameters()
    optimizer = kind(parameters, **options)
    random_gradients(parameters, np.random.default_rng(4))
    optimizer.step()
    parameters["conv.weight"].trainable = False
    frozen, before = parameters["conv.weight"].data.copy(), optimizer.state()
    optimizer.step()
    assert np.array_equal(parameters["conv.weight"].data, frozen)
    after = optimizer.state()
    for name in before:
        if name.endswith("conv.weight"):
            assert np.array_equal(after[name], before[name])


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_steps_leave_gradients_untouched_and_update_in_place(kind, options):
    parameters = make_parameters(np.float32)
    random_gradients(parameters, np.random.default_rng(5))
    data = {name: parameter.data for name, parameter in parameters.items()}
    gradients = {name: parameter.grad.copy() for name, parameter in parameters.items()}
    kind(parameters, **options).step()
    for name, parameter in parameters.items():
        assert parameter.data is data[name]
        assert parameter.data.dtype == np.float32
        assert np.array_equal(parameter.grad, gradients[name])


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_chunks_do_not_change_a_bit(kind, options, monkeypatch):
    results = []
    for block in (7, 10**9):
        monkeypatch.setattr(minicnn.kernels.runtime.chunks, "CHUNK", block)
        parameters, rng = make_parameters(np.float32), np.random.default_rng(6)
        optimizer = kind(parameters, **options)
        for _ in range(3):
            random_gradients(parameters, rng)
            optimizer.step()
        results.append({name: parameter.data for name, parameter in parameters.items()})
    for name in SHAPES:
        assert np.array_equal(results[0][name], results[1][name])


def test_weights_that_are_not_contiguous_are_updated_all_the_same():
    data = np.random.default_rng(7).standard_normal((4, 6))
    plain, turned = Parameter(data.copy()), Parameter(np.asfortranarray(data))
    for parameter in (plain, turned):
        parameter.grad[...] = np.arange(24.0).reshape(4, 6)
    optimizer = Adam({"plain": plain, "turned": turned}, 0.1)
    optimizer.step()
    assert np.array_equal(plain.data, turned.data)
    assert not np.array_equal(plain.data, data)


@pytest.mark.parametrize(("kind", "options"), CASES, ids=IDS)
def test_resuming_from_the_state_is_bit_identical(kind, options):
    straight, resumed = make_parameters(np.float32), make_parameters(np.float32)
    optimizer, rng = kind(straight, **options), np.random.default_rng(8)
    for _ in range(3):
        random_gradients(straight, rng)
        optimizer.step()
    optimizer.lr *= 0.3
    for name, parameter in straight.items():
        resumed[name].data[...] = parameter.data
    second = kind(resumed, **options)
    second.load_state(optimizer.state())
    for _ in range(3):
        random_gradients(straight, rng)
        for name, parameter in straight.items():
            resumed[name].grad[...] = parameter.grad
        optimizer.step()
        second.step()
    for name in SHAPES:
        assert np.array_equal(straight[name].data, resumed[name].data)
    for name, array in optimizer.state().items():
        assert np.array_equal(array, second.state()[name])


def test_state_is_a_copy():
    optimizer = SGD(make_parameters(), 0.1, momentum=0.9)
    optimizer.state()["velocity/conv.bias"][...] = 5
    assert not optimizer.state()["velocity/conv.bias"].any()


def test_load_state_is_strict_and_changes_nothing_when_it_refuses():
    optimizer = Adam(make_parameters(), 0.1)
    before = optimizer.state()
    changed = {name: np.ones_like(array) for name, array in before.items()}
    without = {name: array for name, array in changed.items() if name != "step/conv.bias"}
    wrong_shape = changed | {"first_moment/conv.bias": np.ones(4)}
    wrong_dtype = changed | {"first_moment/conv.bias": np.ones(5, np.float32)}
    refused = [(without, "missing: step/conv.bias"), (changed | {"x": np.ones(1)}, "unknown: x")]
    refused += [(wrong_shape, "shape"), (wrong_dtype, "float64")]
    for arrays, message in refused:
        with pytest.raises(ValueError, match=message):
            optimizer.load_state(arrays)
    for name, array in optimizer.state().items():
        assert np.array_equal(array, before[name])


@pytest.mark.parametrize(
    ("kind", "options", "named"),
    [
        (SGD, {"lr": 0}, "lr"),
        (SGD, {"lr": -0.1}, "lr"),
        (Adam, {"lr": math.nan}, "lr"),
        (AdamW, {"lr": math.inf}, "lr"),
        (SGD, {"lr": 0.1, "momentum": 1.0}, "momentum"),
        (SGD, {"lr": 0.1, "momentum": -0.1}, "momentum"),
        (SGD, {"lr": 0.1, "nesterov": True}, "nesterov"),
        (SGD, {"lr": 0.1, "weight_decay": -1}, "weight_decay"),
        (RMSProp, {"alpha": 1.0}, "alpha"),
        (RMSProp, {"eps": 0.0}, "eps"),
        (RMSProp, {"momentum": math.nan}, "momentum"),
        (Adam, {"betas": (0.9, 1.0)}, "betas"),
        (Adam, {"betas": (-0.1, 0.9)}, "betas"),
        (AdamW, {"eps": -1e-8}, "eps"),
    ],
)
def test_settings_out_of_bounds_are_refused_by_name(kind, options, named):
    with pytest.raises(ValueError, match=f"{kind.__name__}: .*{named}|{kind.__name__}: {named}"):
        kind(make_parameters(), **options)


def test_things_that_are_not_settings_are_type_errors():
    for options in ({"lr": "fast"}, {"lr": True}, {"lr": 0.1, "betas": 0.9}):
        with pytest.raises(TypeError, match="Adam: "):
            Adam(make_parameters(), **options)
    with pytest.raises(TypeError, match=r"model\.parameters"):
        SGD([Parameter(np.zeros(3))], 0.1)
    with pytest.raises(ValueError, match="at least one parameter"):
        SGD({}, 0.1)
    with pytest.raises(TypeError, match="Optimizer does not define update"):
        Optimizer(make_parameters(), 0.1, weight_decay=0, decay_all=False).step()


def test_a_schedule_may_set_the_rate_to_zero_but_not_below():
    parameters = make_parameters()
    optimizer = SGD(parameters, 0.1)
    random_gradients(parameters, np.random.default_rng(9))
    before = parameters["conv.weight"].data.copy()
    optimizer.lr = 0
    optimizer.step()
    assert np.array_equal(parameters["conv.weight"].data, before)
    for wrong in (-0.1, math.nan):
        with pytest.raises(ValueError, match="lr"):
            optimizer.lr = wrong
    assert optimizer.lr == 0


@pytest.mark.oracle
def test_clipping_equals_pytorch():
    torch = pytest.importorskip("torch")
    parameters = make_parameters()
    random_gradients(parameters, np.random.default_rng(10))
    mirrored = [torch.nn.Parameter(torch.tensor(p.data)) for p in parameters.values()]
    for tensor, parameter in zip(mirrored, parameters.values(), strict=True):
        tensor.grad = torch.tensor(parameter.grad)
    norm = clip_gradients(parameters, 0.5)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(mirrored, 0.5).item(), rel=1e-12)
    for tensor, parameter in zip(mirrored, parameters.values(), strict=True):
        np.testing.assert_allclose(parameter.grad, tensor.grad.numpy(), rtol=1e-6)


def test_clipping_returns_the_norm_before_and_leaves_max_norm_after():
    parameters = make_parameters()
    random_gradients(parameters, np.random.default_rng(11))
    joined = np.concatenate([parameter.grad.ravel() for parameter in parameters.values()])
    assert clip_gradients(parameters, 1.5) == pytest.approx(np.linalg.norm(joined), rel=1e-12)
    assert clip_gradients(parameters, math.inf) == pytest.approx(1.5, rel=1e-12)


def test_gradients_below_the_norm_stay_bit_identical():
    parameters = make_parameters(np.float32)
    random_gradients(parameters, np.random.default_rng(12))
    before = {name: parameter.grad.copy() for name, parameter in parameters.items()}
    clip_gradients(parameters, 1e6)
    for name, parameter in parameters.items():
        assert np.array_equal(parameter.grad, before[name])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_norm_that_is_not_finite_is_returned_and_nothing_is_scaled(bad):
    parameters = make_parameters(np.float32)
    random_gradients(parameters, np.random.default_rng(13))
    parameters["dense.weight"].grad[2, 3] = bad
    before = parameters["conv.weight"].grad.copy()
    assert not math.isfinite(clip_gradients(parameters, 1.0))
    assert np.array_equal(parameters["conv.weight"].grad, before)


def test_the_norm_of_float32_gradients_is_summed_in_float64():
    parameter = Parameter(np.zeros(4, np.float32))
    parameter.grad[...] = 1e30
    assert clip_gradients({"w": parameter}, 1.0) == pytest.approx(2e30, rel=1e-6)
    np.testing.assert_allclose(parameter.grad, 0.5, rtol=1e-6)


def test_frozen_gradients_do_not_count_towards_the_norm():
    parameters = make_parameters()
    random_gradients(parameters, np.random.default_rng(14))
    parameters["conv.weight"].trainable = parameters["dense.weight"].trainable = False
    expected = np.linalg.norm(parameters["conv.bias"].grad)
    assert clip_gradients(parameters, math.inf) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("wrong", [0, -1.0, math.nan])
def test_clipping_refuses_a_norm_that_is_not_positive(wrong):
    with pytest.raises(ValueError, match="clip_gradients: max_norm"):
        clip_gradients(make_parameters(), wrong)
