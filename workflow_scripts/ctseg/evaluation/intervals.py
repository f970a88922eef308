"""95 % intervals for few patients: of a mean, a share of lesions, a number per scan, and a further value.

`mean_interval`, `share_interval` and `rate_interval` treat values of one patient as dependent. They are NaN for fewer
than two patients, because one patient says nothing about others.
"""

import numpy as np
import pandas as pd
from scipy.special import betaincinv, expit, gammaincinv, logit, ndtri, stdtrit

UNLIKELY = 0.025  # probability beyond each end of an interval
Interval = tuple[float, float]
UNKNOWN: Interval = (float("nan"), float("nan"))
UNBOUNDED: Interval = (-np.inf, np.inf)
EQUAL = 1e-9  # standard errors below this share of the mean are rounding errors


def mean_interval(values: np.ndarray, patients: np.ndarray, bounds: Interval = UNBOUNDED) -> Interval:
    """95 % interval of the mean of `values` (n,); `patients` (n,) names the patient of each value.

    Student's t with the standard error over patients; with one value per patient this is the usual standard error.
    `bounds` are the least and the largest possible value: (0, 1) for shares, (0, ∞) for values without a sign. Bounded
    values are skewed, and t alone is too short on the side of the tail. The interval on a scale without bounds extends
    it: on the logit scale for (0, 1); on the logarithmic scale for a least value of 0, at the upper end only and at
    most to twice the distance from the mean. If the means of all patients are equal, the standard error is 0. The
    interval is then the mean itself if a bound is infinite. With two finite bounds it allows for other values in the
    largest share of patients that a sample of this size can miss; for a mean of 0 or 1 this is the interval of Clopper
    and Pearson.
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
    """95 % interval of the share Σ hits / Σ totals; both arrays (n,) count lesions in scans of `patients` (n,).

    Clopper and Pearson's exact interval with the effective number of lesions (Korn and Graubard, Survey Methodology
    1998), at most the real number, because lesions of one patient are often found or missed together. Patients with a
    total of 0 are left out.
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
    """Clopper and Pearson's 95 % interval (1934) of a share of `total` trials; `total` need not be a whole number."""
    hits, misses = share * total, (1 - share) * total
    low = float(betaincinv(hits, misses + 1, UNLIKELY)) if share > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - UNLIKELY)) if share < 1 else 1.0
    return low, high


def rate_interval(counts: np.ndarray, patients: np.ndarray) -> Interval:
    """95 % interval of the mean of `counts` (n,), one count per scan; `patients` (n,) names the patient of each scan.

    Garwood's exact interval of a Poisson mean (1936) with the effective number of events, as in `share_interval`,
    because false lesions accumulate in some scans.
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
    """Lower limit, mean, and upper limit of the 95 % prediction interval of a further value, for normal `values` (n,).

    With many values the limits are Bland and Altman's limits of agreement (Lancet 1986), mean ± 1.96 standard
    deviations. With few values they are wider, because mean and deviation are uncertain. The limits are NaN for fewer
    than two values, and the mean is NaN for none.
    """
    if values.size < 2:
        return UNKNOWN[0], float(values.mean()) if values.size else UNKNOWN[0], UNKNOWN[1]
    reach = stdtrit(values.size - 1, 1 - UNLIKELY) * values.std(ddof=1) * np.sqrt(1 + 1 / values.size)
    return float(values.mean() - reach), float(values.mean()), float(values.mean() + reach)


def _by_patient(values: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each patient, two arrays (patients,)."""
    owner = pd.factorize(np.asarray(patients))[0]
    return np.bincount(owner, weights=values), np.bincount(owner)


def _standard_error(sums: np.ndarray, counts: np.ndarray) -> float:
    """Standard error of Σ sums / Σ counts over patients, by the jackknife (one patient left out at a time).

    With equal counts it equals the usual standard error; with unequal counts and few patients the usual one is too
    small.
    """
    deviations = sums - sums.sum() / counts.sum() * counts
    n_patients, others = sums.size, counts.sum() - counts
    return float(np.sqrt((n_patients - 1) / n_patients * ((deviations / others) ** 2).sum()))
