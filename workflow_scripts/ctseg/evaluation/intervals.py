"""95 % intervals that hold with few patients: of a mean, of a share of lesions, and of a number in each scan.

All of them treat what belongs to one patient as dependent, and are NaN for fewer than two patients: one patient tells
nothing of others.
"""

import numpy as np
import pandas as pd
from scipy.special import betaincinv, expit, gammaincinv, logit, ndtri, stdtrit

UNLIKELY = 0.025  # on each side of an interval
Interval = tuple[float, float]
UNKNOWN: Interval = (float("nan"), float("nan"))
UNBOUNDED: Interval = (-np.inf, np.inf)
EQUAL = 1e-9  # standard errors below this share of the mean are rounding


def mean_interval(values: np.ndarray, patients: np.ndarray, bounds: Interval = UNBOUNDED) -> Interval:
    """The 95 % interval of the mean of `values` (n,), of which each belongs to one of `patients` (n,).

    Student's t with the standard error over patients, which with one value a patient is the usual one. `bounds` are
    the least and the largest possible value: (0, 1) for shares, (0, ∞) for what has no sign. Such values are skewed;
    t alone is too short on the side of their tail; the interval on the scale without bounds (logit, logarithm) extends
    it there, at most to twice the distance. Equal shares of all patients have no standard error; what the other values
    may do is then limited by how rare they must be: for 0 or 1 the interval is that of Clopper and Pearson.
    """
    sums, counts = _by_patient(values, patients)
    n_patients = counts.size
    if n_patients < 2:
        return UNKNOWN
    mean = float(sums.sum() / counts.sum())
    error = _standard_error(sums, counts)
    least, largest = bounds
    if error <= EQUAL * abs(mean):
        if not np.isfinite(bounds).all():
            return mean, mean
        others = 1 - UNLIKELY ** (1 / n_patients)
        return mean - others * (mean - least), mean + others * (largest - mean)
    reach = float(stdtrit(n_patients - 1, 1 - UNLIKELY)) * error
    low, high = mean - reach, mean + reach
    if bounds == (0, 1):
        on_logit = reach / (mean * (1 - mean))
        low, high = min(low, expit(logit(mean) - on_logit)), max(high, expit(logit(mean) + on_logit))
    elif least == 0:
        high = min(mean * np.exp(min(reach / mean, 700)), mean + 2 * reach)
    return float(max(low, least)), float(min(high, largest))


def share_interval(hits: np.ndarray, totals: np.ndarray, patients: np.ndarray) -> Interval:
    """The 95 % interval of the share Σ hits / Σ totals, both (n,) and counted in scans of `patients` (n,).

    Clopper and Pearson's exact interval with as many lesions as independent ones would be worth (Korn and Graubard,
    Survey Methodology 1998), never more than there are: lesions of one patient are found or missed together.
    """
    found, _ = _by_patient(hits, patients)
    counts, _ = _by_patient(totals, patients)
    found, counts = found[counts > 0], counts[counts > 0]
    if counts.size < 2:
        return UNKNOWN
    share, total = found.sum() / counts.sum(), float(counts.sum())
    variance = _standard_error(found, counts) ** 2
    worth = share * (1 - share) / variance if variance > 0 else total
    wider = stdtrit(total - 1, 1 - UNLIKELY) / stdtrit(counts.size - 1, 1 - UNLIKELY)
    return exact_interval(share, min(total, worth * float(wider) ** 2))


def exact_interval(share: float, total: float) -> Interval:
    """Clopper and Pearson's 95 % interval (1934) of a share of `total` things, which need not be a whole number."""
    hits, misses = share * total, (1 - share) * total
    low = float(betaincinv(hits, misses + 1, UNLIKELY)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - UNLIKELY)) if share < 1 else 1.0
    return low, high


def rate_interval(counts: np.ndarray, patients: np.ndarray) -> Interval:
    """The 95 % interval of the mean of `counts` (n,) of scans of `patients` (n,).

    Garwood's exact interval of a Poisson mean (1936) with as many events as independent ones would be worth, as in
    `share_interval`: false lesions come in some scans rather than in others.
    """
    sums, scans = _by_patient(counts, patients)
    n_patients = scans.size
    if n_patients < 2:
        return UNKNOWN
    total, rate = float(sums.sum()), float(sums.sum() / scans.sum())
    if total == 0:
        return 0.0, float(-np.log(UNLIKELY) / scans.sum())
    variance = _standard_error(sums, scans) ** 2
    wider = ndtri(1 - UNLIKELY) / stdtrit(n_patients - 1, 1 - UNLIKELY)
    worth = min(total, rate**2 / variance * float(wider) ** 2 if variance > 0 else total)
    low, high = gammaincinv(worth, UNLIKELY), gammaincinv(worth + 1, 1 - UNLIKELY)
    return rate * float(low) / worth, rate * float(high) / worth


def further_value_interval(values: np.ndarray) -> tuple[float, float, float]:
    """The mean of `values` (n,) between the limits that hold a further value with 95 %, if values are normal.

    With many values these are Bland and Altman's limits of agreement (Lancet 1986), mean ± 1.96 standard deviations;
    with few the mean and the deviation are uncertain themselves. The limits are NaN for fewer than two values.
    """
    if values.size < 2:
        return UNKNOWN[0], float(values.mean()) if values.size else UNKNOWN[0], UNKNOWN[1]
    reach = stdtrit(values.size - 1, 1 - UNLIKELY) * values.std(ddof=1) * np.sqrt(1 + 1 / values.size)
    return float(values.mean() - reach), float(values.mean()), float(values.mean() + reach)


def _by_patient(values: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each patient."""
    owner = pd.factorize(np.asarray(patients))[0]
    return np.bincount(owner, weights=values), np.bincount(owner)


def _standard_error(sums: np.ndarray, counts: np.ndarray) -> float:
    """The standard error of Σ sums / Σ counts over the patients, by leaving out each patient (jackknife).

    With equal counts this is the usual one; with unequal ones and few patients the usual one is too small.
    """
    deviations = sums - sums.sum() / counts.sum() * counts
    n_patients, others = sums.size, counts.sum() - counts
    return float(np.sqrt((n_patients - 1) / n_patients * ((deviations / others) ** 2).sum()))
