"""Confidence intervals against SciPy, and their coverage in simulated studies."""

import numpy as np
import pytest
from scipy import stats

from ctseg.evaluation.intervals import (
    exact_interval,
    further_value_interval,
    mean_interval,
    rate_interval,
    share_interval,
)

SHARES = (0, 1)
STUDIES = 1000
HOLDS = 0.93  # lowest accepted coverage for a nominal 95 %


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def alone(values):
    """Patient numbers with a separate patient for each value."""
    return np.arange(len(values))


def test_one_value_a_patient_gives_students_interval(rng):
    values = rng.normal(-3, 2, 12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values, alone(values)) == pytest.approx(tuple(expected))


def test_several_values_a_patient_have_the_error_of_leaving_out_each_patient(rng):
    sizes = [1, 2, 3, 4, 7]
    patients = np.repeat([f"p{number}" for number in range(5)], sizes)
    values = rng.normal(0, 1, patients.size) + np.repeat(rng.normal(0, 2, 5), sizes)
    without = np.array([values[patients != name].mean() for name in np.unique(patients)])
    error = np.sqrt(4 / 5 * ((without - values.mean()) ** 2).sum())
    assert mean_interval(values, patients) == pytest.approx(stats.t.interval(0.95, 4, values.mean(), error))


def test_equally_many_values_a_patient_have_the_interval_of_the_patients_means(rng):
    values = rng.normal(0, 1, (6, 3))
    expected = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert mean_interval(values.ravel(), np.repeat(np.arange(6), 3)) == pytest.approx(tuple(expected))


def test_shares_lie_between_0_and_1_and_reach_farther_to_the_middle():
    values = np.array([0.83, 0.85, 0.9, 0.91])
    low, high = mean_interval(values, alone(values), SHARES)
    by_t = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert low < by_t.low
    assert high == pytest.approx(by_t.high)
    assert mean_interval(np.array([0.2, 0.9]), [0, 1], SHARES) == (0, 1)
    low, high = mean_interval(np.array([1.0, 9.0, 2.0]), [0, 1, 2], (0, np.inf))
    by_t = stats.ttest_1samp([1, 9, 2], 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((0, 4 + 2 * (by_t.high - 4)))
    low, high = mean_interval(np.array([3.0, 4.0, 5.0]), [0, 1, 2], (0, np.inf))
    by_t = stats.ttest_1samp([3, 4, 5], 0).confidence_interval(0.95)
    assert (low, high) == pytest.approx((by_t.low, 4 * np.exp(by_t.high / 4 - 1)))


@pytest.mark.parametrize("n", [2, 4, 30])
def test_equal_shares_are_no_certainty(n):
    exact = stats.binomtest(n, n).proportion_ci(0.95, "exact")
    assert mean_interval(np.ones(n), np.arange(n), SHARES) == pytest.approx((exact.low, 1))
    assert mean_interval(np.zeros(n), np.arange(n), SHARES) == pytest.approx((0, 1 - exact.low))
    low, high = mean_interval(np.full(n, 0.6), np.arange(n), SHARES)
    assert low < 0.6 < high


@pytest.mark.parametrize(("hits", "total"), [(0, 4), (4, 4), (18, 24), (1, 50)])
def test_independent_lesions_have_the_interval_of_clopper_and_pearson(hits, total):
    expected = stats.binomtest(hits, total).proportion_ci(0.95, "exact")
    assert exact_interval(hits / total, total) == pytest.approx((expected.low, expected.high))


def test_lesions_of_few_patients_that_agree_by_chance_are_worth_no_more_than_they_are():
    found, there, patients = np.array([5, 4, 5, 4]), np.array([7, 5, 7, 5]), np.arange(4)
    assert share_interval(found, there, patients) == pytest.approx((0.533, 0.902), abs=0.001)  # 18 of 24
    patchy = share_interval(np.array([7, 5, 1, 5]), there, patients)
    assert patchy[1] - patchy[0] > 0.5


def test_scans_of_one_patient_count_together():
    found, there = np.array([3, 3, 0, 0]), np.array([3, 3, 3, 3])
    alone, together = share_interval(found, there, np.arange(4)), share_interval(found, there, np.array([0, 0, 1, 1]))
    assert together[0] < alone[0]
    assert together[1] > alone[1]


@pytest.mark.parametrize("total", [1, 6, 40])
def test_independent_events_have_garwoods_interval(total):
    counts = np.bincount(np.arange(total) % 200, minlength=200)
    low, high = rate_interval(counts, alone(counts))
    assert low == pytest.approx(stats.chi2.ppf(0.025, 2 * total) / 2 / 200, rel=0.05)
    assert high == pytest.approx(stats.chi2.ppf(0.975, 2 * total + 2) / 2 / 200, rel=0.05)


def test_no_event_is_not_never():
    assert rate_interval(np.zeros(4), np.arange(4)) == pytest.approx((0, stats.chi2.ppf(0.975, 2) / 2 / 4))


def test_one_patient_says_nothing_of_others():
    for interval in (
        mean_interval(np.array([0.2, 0.4]), np.zeros(2)),
        mean_interval(np.zeros(0), np.zeros(0)),
        share_interval(np.array([1, 2]), np.array([2, 0]), np.arange(2)),
        rate_interval(np.ones(3), np.zeros(3)),
    ):
        assert np.isnan(interval).all()
    low, mean, high = further_value_interval(np.array([3.0]))
    assert np.isnan([low, high]).all()
    assert mean == 3


def test_many_values_have_bland_and_altmans_limits(rng):
    values = rng.normal(0, 1, 5000)
    expected = (values.mean() - 1.96 * values.std(), values.mean(), values.mean() + 1.96 * values.std())
    assert further_value_interval(values) == pytest.approx(expected, abs=0.005)


def coverage(studies, truth):
    """Share of the intervals that contain the true value."""
    return np.mean([low <= truth <= high for low, high in studies])


@pytest.mark.parametrize("n", [4, 10, 30])
@pytest.mark.parametrize(
    ("draw", "truth", "bounds"),
    [
        (lambda rng, n: rng.normal(0.1, 1, n), 0.1, (-np.inf, np.inf)),
        (lambda rng, n: rng.beta(12, 3, n), 0.8, SHARES),  # as the Dice of lesions
        (lambda rng, n: rng.beta(5, 1, n), 5 / 6, SHARES),
        (lambda rng, n: rng.lognormal(1, 0.4, n), np.exp(1.08), (0, np.inf)),  # as distances in mm
    ],
    ids=["normal", "Dice", "skewed Dice", "mm"],
)
def test_intervals_of_means_hold(rng, draw, truth, bounds, n):
    found = (mean_interval(draw(rng, n), np.arange(n), bounds) for _ in range(STUDIES))
    assert coverage(found, truth) >= HOLDS


@pytest.mark.parametrize("n", [4, 10, 30])
def test_intervals_of_means_hold_with_several_scans_a_patient(rng, n):
    def study():
        scans = rng.integers(1, 4, n)
        owners = np.repeat(np.arange(n), scans)
        return mean_interval(rng.normal(0, 1, n)[owners] + rng.normal(0, 0.5, owners.size), owners)

    assert coverage((study() for _ in range(STUDIES)), 0) >= HOLDS


@pytest.mark.parametrize("n", [4, 10, 30])
@pytest.mark.parametrize("truth", [0.5, 0.75, 0.9])
@pytest.mark.parametrize("alike", [0, 0.1, 0.25], ids="correlation {}".format)
def test_intervals_of_shares_hold(rng, truth, alike, n):
    def study():
        lesions = rng.poisson(5, n) + 1
        spread = (1 - alike) / alike if alike else 1
        own = rng.beta(truth * spread, (1 - truth) * spread, n) if alike else truth
        return share_interval(rng.binomial(lesions, own), lesions, np.arange(n))

    assert coverage((study() for _ in range(STUDIES)), truth) >= HOLDS


@pytest.mark.parametrize("n", [4, 10, 30])
@pytest.mark.parametrize("rate", [0.3, 1.5, 4])
@pytest.mark.parametrize("clumped", [False, True])
def test_intervals_of_rates_hold(rng, rate, clumped, n):
    def study():
        own = rng.gamma(2, rate / 2, n) if clumped else rate
        return rate_interval(rng.poisson(own, n), np.arange(n))

    assert coverage((study() for _ in range(STUDIES)), rate) >= HOLDS


@pytest.mark.parametrize("n", [4, 10, 30])
def test_a_further_case_lies_within_the_limits(rng, n):
    def study():
        low, _, high = further_value_interval(rng.normal(0, 1, n))
        return low <= rng.normal() <= high

    assert np.mean([study() for _ in range(STUDIES)]) >= HOLDS
