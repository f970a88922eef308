"""Background runs of the page: end, deletion of results, and their input."""

import threading
import time

import pytest

from cards import CARD
from ctseg.errors import InputError
from serving.model_facts import ModelFacts
from serving.page.choice import Choice, belongs
from serving.page.runs import Key, Names, Runs, State
from serving.page.work import Asked, Shown, Upload

KEY, NAMES = Key("scan", "model"), Names("scan.nii", "net", "upload", "net.onnx")


def shown(size=1):
    return Shown({"grey": "", "masks": "", "rows": []}, [], {"a.csv": b"x" * size}, {}, ("nodule",))


def ended(run):
    limit = time.monotonic() + 20
    while run.ended is None and time.monotonic() < limit:
        time.sleep(0.005)
    return run


def test_a_run_tells_its_steps_and_keeps_its_result():
    runs, go = Runs(), threading.Event()

    def work(tell, tell_series):
        tell("segmenting", 0.5)
        go.wait(20)
        return shown()

    run = runs.start(KEY, NAMES, work)
    while run.step != "segmenting":
        time.sleep(0.005)
    assert (run.state, run.fraction) == (State.RUNNING, 0.5)
    go.set()
    assert ended(run).state is State.DONE
    assert runs.get(run.token) is run
    assert len(run.token) > 20
    assert runs.get(None) is None is runs.get("guess")


def test_a_cancelled_run_is_gone_at_once_and_ends_at_its_next_step():
    runs, begun, go, over = Runs(), threading.Event(), threading.Event(), threading.Event()

    def work(tell, tell_series):
        begun.set()
        go.wait(20)
        try:
            tell("segmenting", 0.9)
        finally:
            over.set()
        return shown()

    run = runs.start(KEY, NAMES, work)
    begun.wait(20)
    runs.cancel(run)
    assert runs.get(run.token) is None
    go.set()
    assert over.wait(20)
    assert run.state is State.CANCELLED
    assert run.shown is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InputError("the scan is cut"), "the scan is cut"),
        (MemoryError(), "more memory"),
        (KeyError("Doe^John"), r"could not be processed (KeyError)"),
    ],
)
def test_a_failure_is_told_in_a_sentence_without_values_of_the_header(error, told):
    def work(tell, tell_series):
        raise error

    run = ended(Runs().start(KEY, NAMES, work))
    assert run.state is State.FAILED
    assert told in run.error
    assert "Doe" not in run.error


def test_results_are_forgotten_by_age_number_and_size():
    now = [0.0]
    runs = Runs(keep_seconds=10, most_results=3, most_bytes=100, clock=lambda: now[0])

    def finished(size):
        now[0] += 1
        return ended(runs.start(KEY, NAMES, lambda tell, tell_series: shown(size)))

    first, *others = [finished(1) for _ in range(4)]
    assert runs.get(first.token) is None
    assert all(runs.get(run.token) for run in others)
    large = finished(1000)
    assert runs.get(large.token) is large
    assert not any(runs.get(run.token) for run in others)
    now[0] += 11
    assert runs.get(large.token) is None


def test_at_the_end_nothing_is_left():
    runs = Runs()
    run = ended(runs.start(KEY, NAMES, lambda tell, tell_series: shown()))
    runs.close()
    assert runs.get(run.token) is None


def choice(scan="scan", model="model", series="", label="", name="scan.nii", source="upload"):
    facts = ModelFacts("net", CARD, model)
    uploads = (Upload(name, b""),) if scan else ()
    return Choice(None, facts, source, Asked(name if scan else "", uploads), Key(scan, model, series, label))


@pytest.mark.parametrize(
    "other",
    [
        {"scan": "another"},
        {"model": "another"},
        {"series": "1.2.3"},
        {"label": "own"},
        {"name": "copy.nii"},
        {"source": "folder"},
        {"source": "example"},
        {"scan": ""},
    ],
    ids=str,
)
def test_a_result_belongs_to_one_choice_alone(other):
    run = ended(Runs().start(KEY, NAMES, lambda tell, tell_series: shown()))
    assert belongs(run, choice(), restored=False)
    assert not belongs(run, choice(**other), restored=False)


def test_after_a_reload_a_result_stays_until_a_file_or_another_model_is_given():
    run = ended(Runs().start(KEY, NAMES, lambda tell, tell_series: shown()))
    assert belongs(run, choice(scan=""), restored=True)
    assert belongs(run, choice(), restored=True)
    for other in ({"scan": "another"}, {"scan": "", "model": "another"}, {"scan": "", "source": "example"}):
        assert not belongs(run, choice(**other), restored=True)
    assert not belongs(run, choice(scan="", label="own"), restored=True)
