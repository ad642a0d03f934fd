"""Measures of a multi-label classifier, beside scikit-learn's and on cases worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minicnn import metrics as m

sk = pytest.importorskip("sklearn.metrics")


@st.composite
def labelled_scores(draw, max_labels=5):
    """A random truth (n, labels) and scores with many ties."""
    shape = (draw(st.integers(1, 30)), draw(st.integers(1, max_labels)))
    y = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))
    score = draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0, 0.1, 0.25, 0.5, 0.51, 0.9, 1])))
    return y, score


RANDOM = settings(deadline=None, max_examples=100)


@RANDOM
@given(labelled_scores())
def test_average_precision_equals_scikit_learn_with_ties(case):
    y, score = case
    for k, ours in enumerate(m.average_precision_by_column(y, score)):
        if y[:, k].any():
            assert ours == pytest.approx(sk.average_precision_score(y[:, k], score[:, k]), abs=1e-12)
        else:
            assert math.isnan(ours)


@RANDOM
@given(labelled_scores())
def test_roc_auc_equals_scikit_learn_with_ties(case):
    y, score = case
    for k, ours in enumerate(m.roc_auc_by_column(y, score)):
        if 0 < y[:, k].sum() < len(y):
            assert ours == pytest.approx(sk.roc_auc_score(y[:, k], score[:, k]), abs=1e-12)
        else:
            assert math.isnan(ours)


@RANDOM
@given(labelled_scores())
def test_micro_average_precision_equals_scikit_learn(case):
    y, score = case
    ours = m.micro_average_precision(y, score)
    if y.any():
        assert ours == pytest.approx(sk.average_precision_score(y.ravel(), score.ravel()), abs=1e-12)
    else:
        assert math.isnan(ours)


@RANDOM
@given(labelled_scores())
def test_f1_equals_scikit_learn(case):
    y, score = case
    predicted = score >= 0.5
    expected = [
        sk.f1_score(truth, decided, zero_division=np.nan)
        for truth, decided in zip(y.T.astype(bool), predicted.T, strict=True)
    ]
    np.testing.assert_allclose(m.f1_by_column(y, predicted), expected, atol=1e-12)
    if y.any() or predicted.any():
        pooled = sk.f1_score(y.ravel().astype(bool), predicted.ravel())
        assert m.micro_f1(y, predicted) == pytest.approx(pooled, abs=1e-12)
    else:
        assert math.isnan(m.micro_f1(y, predicted))


@RANDOM
@given(labelled_scores())
def test_hamming_loss_and_accuracy_equal_scikit_learn(case):
    y, score = case
    predicted = score >= 0.5
    expected = sk.hamming_loss(y.ravel().astype(bool), predicted.ravel())
    assert m.hamming_loss(y, predicted) == pytest.approx(expected, abs=1e-12)
    assert m.binary_accuracy(y, predicted) == pytest.approx(1 - expected, abs=1e-12)


@RANDOM
@given(labelled_scores(), st.integers(1, 5))
def test_top_k_measures_equal_their_definitions_counted_one_by_one(case, k):
    y, score = case
    k = min(k, y.shape[1])
    hits, precisions, recalls = [], [], []
    for truth, row in zip(y, score, strict=True):
        best = sorted(range(len(row)), key=lambda column: (-row[column], column))[:k]
        right = sum(int(truth[column]) for column in best)
        hits.append(right > 0)
        precisions.append(right / k)
        if truth.any():
            recalls.append(right / int(truth.sum()))
    assert m.hit_at_k(y, score, k) == pytest.approx(np.mean(hits), abs=1e-12)
    assert m.precision_at_k(y, score, k) == pytest.approx(np.mean(precisions), abs=1e-12)
    if recalls:
        assert m.recall_at_k(y, score, k) == pytest.approx(np.mean(recalls), abs=1e-12)
    else:
        assert math.isnan(m.recall_at_k(y, score, k))
    if k == 1:
        assert m.top1(y, score) == m.hit_at_k(y, score, 1)


@RANDOM
@given(labelled_scores(), st.integers(0, 4))
def test_macro_means_count_exactly_the_columns_with_enough_positives(case, min_positives):
    y, score = case
    for macro, column in ((m.macro_average_precision, m.average_precision), (m.macro_roc_auc, m.roc_auc)):
        values = [column(y[:, k], score[:, k]) for k in range(y.shape[1]) if y[:, k].sum() >= min_positives]
        values = [value for value in values if not math.isnan(value)]
        ours = macro(y, score, min_positives)
        assert ours == pytest.approx(np.mean(values), abs=1e-12) if values else math.isnan(ours)


@RANDOM
@given(labelled_scores(), st.randoms(use_true_random=False))
def test_ranking_measures_do_not_depend_on_the_order_of_the_rows(case, random):
    y, score = case
    order = list(range(len(y)))
    random.shuffle(order)
    for measure in (m.average_precision_by_column, m.roc_auc_by_column, m.expected_calibration_error):
        np.testing.assert_allclose(measure(y[order], score[order]), measure(y, score), atol=1e-12)


def test_average_precision_of_a_case_worked_by_hand():
    # Ranking: right, wrong, right, wrong. Precision 1 at recall 1/2, precision 2/3 at recall 1.
    assert m.average_precision(np.array([1, 0, 1, 0]), np.array([4, 3, 2, 1])) == pytest.approx(1 / 2 + 1 / 3)


def test_a_constant_score_has_the_share_of_positives_as_precision_and_half_as_auc():
    y, score = np.array([1, 0, 0, 0, 1]), np.full(5, 0.3)
    assert m.average_precision(y, score) == pytest.approx(0.4)
    assert m.roc_auc(y, score) == pytest.approx(0.5)


def test_equal_scores_go_to_the_lower_column():
    assert m.top_k(np.array([[0.5, 0.9, 0.5, 0.9]]), 3).tolist() == [[1, 3, 0]]


def test_a_row_without_labels_is_a_miss_but_does_not_enter_recall():
    y, score = np.array([[0, 0, 0], [1, 0, 0]]), np.array([[0.9, 0.1, 0], [0.9, 0.1, 0]])
    assert m.top1(y, score) == 0.5
    assert m.recall_at_k(y, score, 1) == 1.0


def test_macro_f1_leaves_out_rare_columns():
    y = np.array([[1, 0], [1, 1], [0, 0]])
    predicted = np.array([[1, 0], [1, 0], [0, 1]])
    assert m.macro_f1(y, predicted, min_positives=2) == 1.0
    assert m.macro_f1(y, predicted, min_positives=1) == 0.5
    assert math.isnan(m.macro_f1(y, predicted))


def test_probabilities_that_are_frequencies_have_no_calibration_error():
    p = np.repeat([0.25, 0.75], 4)
    y = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    assert m.expected_calibration_error(y, p, bins=2) == pytest.approx(0)


def test_calibration_error_of_a_case_worked_by_hand():
    # Two bins of two: means of y 0.5 and 1, of p 0.15 and 0.85; the error is (0.35 + 0.15) / 2.
    y, p = np.array([1, 0, 1, 1]), np.array([0.1, 0.2, 0.8, 0.9])
    assert m.expected_calibration_error(y, p, bins=2) == pytest.approx(0.25)


def test_calibration_bins_hold_equally_many_probabilities():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=60)
    y = rng.uniform(size=60) < p
    order = np.argsort(p)
    bins = np.split(order, 15)
    expected = sum(abs(y[b].mean() - p[b].mean()) for b in bins) / 15
    assert m.expected_calibration_error(y, p) == pytest.approx(expected)


def test_one_calibration_bin_is_the_difference_of_the_means():
    y, p = np.array([[1, 0], [0, 0]]), np.array([[0.5, 0.5], [0.5, 0.1]])
    assert m.expected_calibration_error(y, p, bins=1) == pytest.approx(0.4 - 0.25)


def test_the_macro_calibration_error_is_the_mean_over_columns_with_enough_positives():
    rng = np.random.default_rng(12)
    p = rng.random((200, 3)) * [1, 0.6, 0.02]
    y = (rng.random((200, 3)) < p).astype(int)
    assert y[:, :2].sum(axis=0).min() >= 10 > y[:, 2].sum()
    expected = np.mean([m.expected_calibration_error(y[:, k], p[:, k]) for k in (0, 1)])
    assert m.macro_expected_calibration_error(y, p) == pytest.approx(expected)
    assert math.isnan(m.macro_expected_calibration_error(y, p, min_positives=201))


GOOD_Y, GOOD_S = np.array([[1, 0], [0, 1]]), np.array([[0.2, 0.4], [0.1, 0.3]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: m.average_precision(GOOD_Y, GOOD_S), r"shape \(n,\)"),
        (lambda: m.top1(GOOD_Y[0], GOOD_S[0]), r"shape \(n, labels\)"),
        (lambda: m.top1(GOOD_Y, GOOD_S[:, :1]), "y has shape"),
        (lambda: m.top1(GOOD_Y * 2, GOOD_S), "only 0 and 1"),
        (lambda: m.top1(GOOD_Y, GOOD_S * math.nan), "finite"),
        (lambda: m.roc_auc(GOOD_Y[0], np.array([1, math.inf])), "finite"),
        (lambda: m.top1(GOOD_Y[:0], GOOD_S[:0]), "at least 1"),
        (lambda: m.hit_at_k(GOOD_Y, GOOD_S, 3), "between 1 and the 2 labels"),
        (lambda: m.hit_at_k(GOOD_Y, GOOD_S, 0), "between 1 and the 2 labels"),
        (lambda: m.micro_f1(GOOD_Y, GOOD_S), "threshold"),
        (lambda: m.hamming_loss(GOOD_Y, GOOD_Y[:1]), "y has shape"),
        (lambda: m.expected_calibration_error(GOOD_Y, GOOD_S * 10), "from 0 to 1"),
        (lambda: m.expected_calibration_error(GOOD_Y, GOOD_S, bins=0), "bins"),
        (lambda: m.top_k(GOOD_S[0], 1), r"\(n, labels\)"),
        (lambda: m.micro_f1(np.array([["a"]]), np.array([[1]])), "only 0 and 1"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
