"""Sequential, Parallel and Residual: the chain rule as a loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minicnn.containers import Parallel, Residual, Sequential
from minicnn.layer import Layer
from minicnn.layers.activation import ReLU, Sigmoid, Tanh
from minicnn.layers.conv import Conv2D
from minicnn.layers.dense import Dense
from minicnn.layers.pooling import GlobalAveragePool2D
from minicnn.layers.reshape import Flatten, Identity

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))


def dense(fan_in: int = 4, fan_out: int = 4, rng: int = 0) -> Dense:
    return Dense(fan_in, fan_out, rng=rng, dtype=np.float64)


def test_a_list_is_named_by_numbers_and_a_dict_names_itself() -> None:
    assert list(Sequential([ReLU(), Tanh()]).children()) == ["0", "1"]
    assert list(Sequential({"act": ReLU(), "squash": Tanh()}).children()) == ["act", "squash"]


def test_members_are_reached_by_number_and_by_name() -> None:
    first, last = ReLU(), Tanh()
    model = Sequential({"first": first, "last": last})
    assert model[0] is first
    assert model[-1] is last
    assert model["last"] is last
    assert len(model) == 2


def test_sequential_is_one_layer_after_the_other_forward_and_back() -> None:
    first, last = dense(4, 5), dense(5, 2, rng=1)
    model = Sequential([first, Tanh(), last])
    y = model.forward(X, training=True)
    hidden = np.tanh(X @ first.weight.data)
    np.testing.assert_allclose(y, hidden @ last.weight.data, rtol=1e-12)
    dy = RNG.standard_normal(y.shape)
    dhidden = dy @ last.weight.data.T * (1 - hidden**2)
    np.testing.assert_allclose(model.backward(dy), dhidden @ first.weight.data.T, rtol=1e-12)
    np.testing.assert_allclose(first.weight.grad, X.T @ dhidden, rtol=1e-12)
    np.testing.assert_allclose(last.weight.grad, hidden.T @ dy, rtol=1e-12)


def test_sequential_does_not_change_when_its_layers_are_grouped() -> None:
    def layers() -> list[Layer]:
        return [dense(), ReLU(), dense(rng=1), Tanh()]

    flat = Sequential(layers())
    parts = layers()
    nested = Sequential([Sequential(parts[:2]), Sequential(parts[2:])])
    np.testing.assert_array_equal(flat.forward(X, training=True), nested.forward(X, training=True))
    np.testing.assert_array_equal(flat.backward(X), nested.backward(X))


def test_residual_adds_the_input_to_what_the_body_puts_out() -> None:
    body = dense()
    block = Residual(body)
    np.testing.assert_allclose(block.forward(X, training=True), X + X @ body.weight.data, rtol=1e-13)
    dy = RNG.standard_normal(X.shape)
    np.testing.assert_allclose(block.backward(dy), dy + dy @ body.weight.data.T, rtol=1e-13)


def test_residual_with_a_projection_adds_the_projection_of_the_input() -> None:
    body, projection = dense(4, 2), dense(4, 2, rng=1)
    block = Residual(body, projection)
    both = body.weight.data + projection.weight.data
    np.testing.assert_allclose(block.forward(X, training=True), X @ both, rtol=1e-12)
    dy = RNG.standard_normal((3, 2))
    np.testing.assert_allclose(block.backward(dy), dy @ both.T, rtol=1e-12)
    assert list(block.children()) == ["body", "projection"]


def test_concatenation_joins_the_channels_and_splits_the_gradient() -> None:
    one, other = dense(4, 2), dense(4, 3, rng=1)
    model = Parallel([one, other], merge="concat")
    y = model.forward(X, training=True)
    np.testing.assert_allclose(y, np.hstack([X @ one.weight.data, X @ other.weight.data]), rtol=1e-12)
    dy = RNG.standard_normal(y.shape)
    expected = dy[:, :2] @ one.weight.data.T + dy[:, 2:] @ other.weight.data.T
    np.testing.assert_allclose(model.backward(dy), expected, rtol=1e-12)


def test_multiplication_follows_the_product_rule() -> None:
    model = Parallel([Identity(), Identity(), Identity()], merge="multiply")
    np.testing.assert_allclose(model.forward(X, training=True), X**3, rtol=1e-13)
    np.testing.assert_allclose(model.backward(np.ones(X.shape)), 3 * X**2, rtol=1e-13)


def test_the_product_rule_holds_where_an_output_is_zero() -> None:
    model = Parallel([Identity(), ReLU()], merge="multiply")
    model.forward(np.array([[0.0, -1.0, 2.0]]), training=True)
    np.testing.assert_array_equal(model.backward(np.ones((1, 3))), [[0.0, 0.0, 4.0]])


@pytest.mark.oracle
def test_squeeze_and_excitation_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    down = Conv2D(4, 2, 1, rng=0, dtype=np.float64)
    up = Conv2D(2, 4, 1, rng=1, dtype=np.float64)
    gate = Sequential([GlobalAveragePool2D(keepdims=True), down, ReLU(), up, Sigmoid()])
    model = Parallel([Identity(), gate], merge="multiply")
    x, dy = RNG.standard_normal((2, 2, 3, 5, 4))
    x_theirs = torch.from_numpy(x).requires_grad_()
    w_down, w_up = (torch.from_numpy(w.weight.data[0, 0].copy()).requires_grad_() for w in (down, up))
    y_theirs = x_theirs * torch.sigmoid(torch.relu(x_theirs.mean(dim=(1, 2), keepdim=True) @ w_down) @ w_up)
    y_theirs.backward(torch.from_numpy(dy))
    np.testing.assert_allclose(model.forward(x, training=True), y_theirs.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(model.backward(dy), x_theirs.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(down.weight.grad[0, 0], w_down.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(up.weight.grad[0, 0], w_up.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("merge", Parallel.MERGES)
def test_a_single_branch_is_that_branch(merge: str) -> None:
    branch = dense()
    model = Parallel([branch], merge=merge)
    np.testing.assert_array_equal(model.forward(X, training=True), X @ branch.weight.data)
    np.testing.assert_array_equal(model.backward(X), X @ branch.weight.data.T)


def test_sum_does_not_write_into_a_branch_that_returns_its_input() -> None:
    x = X.copy()
    Parallel([Identity(), Identity(), Identity()]).forward(x)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("merge", "message"),
    [("sum", "branches to sum must have one shape"), ("multiply", "branches to multiply must broadcast")],
)
def test_branches_of_shapes_that_do_not_merge_are_value_errors(merge: str, message: str) -> None:
    model = Parallel([dense(4, 2), dense(4, 3)], merge=merge)
    with pytest.raises(ValueError, match=message):
        model.forward(X)
    with pytest.raises(ValueError, match=message):
        model.output_shape(X.shape)


def test_branches_of_other_ranks_do_not_multiply() -> None:
    model = Parallel([Identity(), Flatten()], merge="multiply")
    with pytest.raises(ValueError, match="branches to multiply must broadcast"):
        model.forward(np.ones((1, 2, 2, 3)))


def test_branches_to_concatenate_must_agree_in_size() -> None:
    model = Parallel([Identity(), Flatten()], merge="concat")
    with pytest.raises(ValueError, match="branches to concatenate must agree"):
        model.output_shape((1, 2, 2, 3))


def test_a_residual_whose_body_changes_the_shape_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"Residual: branches to sum must have one shape.*project"):
        Residual(dense(4, 2)).forward(X)


def test_an_unknown_merge_is_a_value_error() -> None:
    with pytest.raises(ValueError, match='merge must be "sum", "concat" or "multiply"'):
        Parallel([ReLU()], merge="mean")


@pytest.mark.parametrize("kind", [Sequential, Parallel])
@pytest.mark.parametrize(
    ("members", "error", "message"),
    [
        ([], ValueError, "at least one layer"),
        ({}, ValueError, "at least one layer"),
        (ReLU(), TypeError, "a list or a dict of layers"),
        ([ReLU(), np.tanh], TypeError, "'1' is not a layer"),
        ([ReLU], TypeError, "'0' is not a layer"),
        ({"a.b": ReLU()}, ValueError, "without dots"),
        ({"": ReLU()}, ValueError, "without dots"),
        ({1: ReLU()}, ValueError, "must be a text"),
    ],
)
def test_what_is_no_set_of_layers_is_refused(
    kind: type, members: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"{kind.__name__}: .*{message}"):
        kind(members)


def test_a_layer_instance_stands_once_in_a_model() -> None:
    shared = ReLU()
    for twice in (
        lambda: Sequential([shared, shared]),
        lambda: Sequential([Residual(shared), shared]),
        lambda: Parallel([Sequential([shared]), Sequential([shared])]),
    ):
        with pytest.raises(ValueError, match="stands in the model twice"):
            twice()


def test_output_shapes_go_through_the_chain() -> None:
    model = Sequential([Conv2D(3, 4, 3, rng=0), Parallel([Identity(), Tanh()], merge="concat"), Flatten()])
    assert model.output_shape((2, 5, 6, 3)) == (2, 3 * 4 * 8)


def test_repr_shows_the_tree() -> None:
    model = Sequential({"body": Residual(Sequential([ReLU()])), "gates": Parallel([Tanh()], merge="concat")})
    assert repr(model).splitlines() == [
        "Sequential(",
        "  body: Residual(",
        "    body: Sequential(",
        "      0: ReLU()",
        "    )",
        "    projection: Identity()",
        "  )",
        "  gates: Parallel(merge='concat'",
        "    0: Tanh()",
        "  )",
        ")",
    ]


@pytest.mark.parametrize("make", [Sequential, lambda members: Parallel(members), lambda m: Residual(*m)])
def test_two_layers_that_share_a_parameter_are_refused(make):
    first, second = Dense(3, 3, rng=0), Dense(3, 3, rng=1)
    second.weight = first.weight
    with pytest.raises(ValueError, match=r"weight and .*weight are one Parameter, .*step twice"):
        make([first, Sequential([ReLU(), second])])


def test_a_layer_whose_own_attributes_share_a_parameter_is_refused():
    tied = Dense(3, 3, rng=0)
    tied.again = tied.weight
    with pytest.raises(ValueError, match=r"0\.weight and 0\.again are one Parameter"):
        Sequential([tied])


def test_two_models_may_share_a_layer():
    shared = Dense(3, 3, rng=0)
    assert Sequential([shared])[0] is Sequential([shared, ReLU()])[0]
