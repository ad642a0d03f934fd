"""Learning-rate schedules, beside PyTorch's and at the points their formulas name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicnn.schedules import Constant, Cosine, OneCycle, StepDecay, WarmUp


def peer_curve(make, lr, steps):
    """The learning rates that a PyTorch scheduler sets over ``steps`` steps."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    curve = []
    for _ in range(steps):
        curve.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return curve


def curve(schedule, steps):
    return [schedule(step) for step in range(steps)]


@pytest.mark.oracle
def test_step_decay_equals_pytorch():
    peer = peer_curve(lambda s, o: s.StepLR(o, step_size=7, gamma=0.3), 0.4, 40)
    np.testing.assert_allclose(curve(StepDecay(0.4, 7, 0.3), 40), peer, rtol=1e-12)


@pytest.mark.oracle
def test_cosine_equals_pytorch_up_to_its_end():
    peer = peer_curve(lambda s, o: s.CosineAnnealingLR(o, T_max=30, eta_min=0.01), 0.5, 31)
    np.testing.assert_allclose(curve(Cosine(0.5, 30, 0.01), 31), peer, rtol=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("total", "pct_start", "div", "final_div"),
    [
        (100, 0.3, 25.0, 1e4),
        (57, 0.25, 10.0, 100.0),
        (10, 0.9, 4.0, 1.0),
        (9, 0.05, 25.0, 1e4),
        (2, 0.3, 5, 7),
    ],
)
def test_one_cycle_equals_pytorch(total, pct_start, div, final_div):
    peer = peer_curve(
        lambda s, o: s.OneCycleLR(
            o,
            0.2,
            total,
            pct_start=pct_start,
            div_factor=div,
            final_div_factor=final_div,
            cycle_momentum=False,
        ),
        0.1,
        total - 1,
    )
    ours = curve(OneCycle(0.2, total, pct_start, div, final_div), total)
    np.testing.assert_allclose(ours[:-1], peer, rtol=1e-9)
    assert ours[-1] == pytest.approx(0.2 / div / final_div)


@pytest.mark.oracle
def test_warm_up_equals_pytorchs_linear_climb():
    peer = peer_curve(lambda s, o: s.LinearLR(o, start_factor=1 / 6, total_iters=5), 0.6, 9)
    np.testing.assert_allclose(curve(WarmUp(Constant(0.6), 5), 9), peer, rtol=1e-12)


def test_one_cycle_passes_through_its_three_points():
    schedule = OneCycle(1.0, 11, pct_start=6 / 11, div_factor=10, final_div_factor=100)
    assert schedule(0) == pytest.approx(0.1)
    assert schedule(5) == pytest.approx(1.0)
    assert schedule(10) == pytest.approx(0.001)


def test_cosine_is_half_way_at_half_time():
    assert Cosine(0.8, 10, 0.2)(5) == pytest.approx(0.5)


def test_step_decay_falls_at_the_step_it_names():
    assert curve(StepDecay(1.0, 2, 0.5), 5) == [1.0, 1.0, 0.5, 0.5, 0.25]


def test_warm_up_climbs_evenly_and_then_starts_the_schedule_at_its_beginning():
    inner = Cosine(0.5, 10)
    schedule = WarmUp(inner, 4)
    np.testing.assert_allclose(curve(schedule, 4), [0.1, 0.2, 0.3, 0.4])
    assert [schedule(4 + step) for step in range(12)] == curve(inner, 12)


SCHEDULES = st.one_of(
    st.builds(Constant, st.floats(1e-6, 10)),
    st.builds(StepDecay, st.floats(1e-6, 10), st.integers(1, 50), st.floats(0.01, 1)),
    st.builds(Cosine, st.floats(1e-6, 10), st.integers(1, 50)),
    st.builds(OneCycle, st.floats(1e-6, 10), st.integers(1, 50), st.floats(0, 1), st.floats(1, 50)),
)


@settings(deadline=None, max_examples=200)
@given(SCHEDULES, st.integers(1, 20), st.integers(0, 200))
def test_every_rate_is_finite_never_negative_and_never_above_the_peak(schedule, warm_up, step):
    peak = getattr(schedule, "max_lr", None) or schedule.lr
    for chosen in (schedule, WarmUp(schedule, warm_up)):
        rate = chosen(step)
        assert math.isfinite(rate)
        assert 0 <= rate <= peak * (1 + 1e-12)
        assert rate == chosen(step)


@pytest.mark.parametrize("schedule", [Cosine(0.5, 10, 0.1), OneCycle(0.5, 10), OneCycle(0.5, 1)])
def test_past_its_end_a_schedule_keeps_its_last_rate(schedule):
    assert schedule(1000) == schedule(schedule.total_steps)


def test_numpy_integers_are_steps_too():
    assert Cosine(0.5, 10)(np.int64(3)) == Cosine(0.5, 10)(3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Constant(0),
        lambda: Constant(math.nan),
        lambda: StepDecay(0.1, 0),
        lambda: StepDecay(0.1, 3, 0.0),
        lambda: StepDecay(0.1, 3, 1.5),
        lambda: Cosine(-0.1, 10),
        lambda: Cosine(0.1, 0),
        lambda: Cosine(0.1, 10, 0.2),
        lambda: OneCycle(0.1, 0),
        lambda: OneCycle(0.1, 10, pct_start=1.1),
        lambda: OneCycle(0.1, 10, div_factor=0.5),
        lambda: OneCycle(0.1, 10, final_div_factor=0),
        lambda: WarmUp(Constant(0.1), 0),
        lambda: Constant(0.1)(-1),
    ],
)
def test_settings_out_of_bounds_are_refused(make):
    with pytest.raises(ValueError, match=r"must be"):
        make()


@pytest.mark.parametrize(
    "make",
    [lambda: Constant("0.1"), lambda: Cosine(0.1, 2.5), lambda: WarmUp(0.1, 3), lambda: Constant(0.1)(1.5)],
)
def test_things_of_the_wrong_kind_are_type_errors(make):
    with pytest.raises(TypeError):
        make()
