"""Conditions on several keys of a config, beyond what the schema says about each key alone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ctseg.catalogue.archives import ARCHIVES
from ctseg.catalogue.label_formats import LABEL_FORMATS
from ctseg.labels.structure_names import bad_pattern
from ctseg.network.kinds import AUTO, KINDS, resolved
from ctseg.network.levels import plan_strides, size_multiple
from ctseg.study.schema import Problem, show

Config = dict[str, Any]
# Precisions of each engine, if the processor or GPU supports them.
PRECISIONS_OF = {
    "openvino": ("float32", "bfloat16", "int8"),
    "onnxruntime": ("float32", "tf32", "int8"),
    "torch": ("float32", "tf32", "float16", "bfloat16"),
}
PHANTOM = "phantom"  # the source of the built-in cases, and the name of their study


def _source(config: Config) -> Iterator[Problem]:
    cases = config["cases"]
    if cases["source"] == "table" and cases["table"] is None:
        yield Problem("cases.table", "is missing; `source: table` needs the path of a TSV file")
    if cases["source"] in ARCHIVES and cases["folder"] is None:
        yield Problem("cases.folder", f"is missing; `source: {cases['source']}` needs the path of the archive's folder")
    if cases["source"] == "folder":
        if cases["image"] is None:
            yield Problem("cases.image", "is missing; `source: folder` needs a path with {case} in it")
        for key in ("image", "label"):
            if cases[key] is not None:
                yield from _pattern(f"cases.{key}", cases[key])


def _name_of_study(config: Config) -> Iterator[Problem]:
    source = config["cases"]["source"]
    if source != PHANTOM and config["study"] == PHANTOM:
        yield Problem("study", f"is missing: name your study, or the results of source {source} mix with the phantom's")


def _pattern(key: str, pattern: str) -> Iterator[Problem]:
    fields = re.findall(r"{(.*?)}", pattern)
    if "case" not in fields:
        yield Problem(key, f"{show(pattern)} needs {{case}} where the name of the case stands")
    for field in sorted(set(fields) - {"case", "patient"}):
        yield Problem(key, f"{{{field}}} is not known; only {{case}} and {{patient}} are")
    if "**" in pattern:
        yield Problem(key, f"{show(pattern)} has **; a * stands for a part of one file or folder name")


def _nodules_alone(config: Config) -> Iterator[Problem]:
    source, labels = config["cases"]["source"], config["target"]["labels"]
    if source in ARCHIVES and LABEL_FORMATS[ARCHIVES[source].label_format].one_label and len(labels) > 1:
        yield Problem("target.labels", f"{' and '.join(labels)} are too many; `source: {source}` has nodules alone")


def _phantom_ranges(config: Config) -> Iterator[Problem]:
    phantom = config["cases"]["phantom"]
    for key in ("spacing_mm", "slice_distance_mm", "nodules") if config["cases"]["source"] == "phantom" else ():
        low, high = phantom[key]
        if low > high:
            yield Problem(f"cases.phantom.{key}", f"{show(phantom[key])} should name the smaller number first")


def _label_values(config: Config) -> Iterator[Problem]:
    names_of: dict[int, list[str]] = {}
    for name, value in config["target"]["labels"].items():
        names_of.setdefault(value, []).append(name)
    for value, names in names_of.items():
        if len(names) > 1:
            yield Problem("target.labels", f"{' and '.join(names)} have the same value {value}; each needs its own")


def _roi_names(config: Config) -> Iterator[Problem]:
    target = config["target"]
    for label, names in target["roi_names"].items():
        if label not in target["labels"]:
            yield Problem(f"target.roi_names.{label}", f"is none of the labels {', '.join(target['labels'])}")
        for name in [names] if isinstance(names, str) else names:
            if fault := bad_pattern(name):
                yield Problem(f"target.roi_names.{label}", f"{show(name)} is not a regular expression: {fault}")


def _window(config: Config) -> Iterator[Problem]:
    window = config["plan"]["window_hu"]
    if isinstance(window, list) and window[0] >= window[1]:
        yield Problem("plan.window_hu", f"{show(window)} is empty; the first number must be the smaller one")


def _patch_size(config: Config) -> Iterator[Problem]:
    """Problems of the patch size that show before the plan; checks that need `auto` values run with the plan."""
    plan, network = config["plan"], config["network"]
    patch, strides, levels, stem = plan["patch_size"], network["strides"], len(network["channels"]), network["stem"]
    if patch == "auto" or network["channels"] == "auto":
        return
    if strides == "auto":
        if plan["spacing_mm"] == "auto":
            return
        factors = [1, 1, 1] if stem == AUTO else stem
        first_mm = [mm * factor for mm, factor in zip(plan["spacing_mm"], factors, strict=True)]
        strides = plan_strides(first_mm, [size / factor for size, factor in zip(patch, factors, strict=True)], levels)
        if len(strides) < levels - 1:
            text = f"{show(patch)} allows {len(strides) + 1} levels, network.channels has {levels}"
            yield Problem("plan.patch_size", text)
            return
    multiple = size_multiple(strides if stem == AUTO else [stem, *strides])
    if any(size % factor for size, factor in zip(patch, multiple, strict=True)):
        reason = f"network.channels has {levels} levels"
        text = f"{show(patch)} should be multiples of {show(list(multiple))}; {reason}"
        yield Problem("plan.patch_size", text)


def _network(config: Config) -> Iterator[Problem]:
    network = resolved(config["network"])
    kind, channels = network["architecture"], network["channels"]
    can = KINDS[kind]
    if network["deep_supervision"] and not can.deep_supervision:
        able = " or ".join(name for name, other in KINDS.items() if other.deep_supervision)
        yield Problem("network.deep_supervision", f"needs architecture {able}, not {kind}")
    if network["stem"] not in (AUTO, [1, 1, 1]) and not can.stem:
        able = " or ".join(name for name, other in KINDS.items() if other.stem)
        yield Problem("network.stem", f"needs architecture {able}, not {kind}")
    if network["norm"] == "group" and can.narrow_end:
        yield Problem("network.norm", f"group does not fit a {kind}, whose last layers have one feature a label")
    yield from _levels(network)
    if channels == "auto":
        return
    if len(channels) < can.fewest_levels:
        yield Problem("network.channels", f"has {len(channels)} levels; a {kind} needs at least {can.fewest_levels}")
    if network["norm"] == "group" and any(features % 4 for features in channels):
        yield Problem("network.channels", f"{show(channels)} should be multiples of 4 for norm group")
    if can.doubling and channels != [channels[0] * 2**level for level in range(len(channels))]:
        yield Problem("network.channels", f"{show(channels)} should double from level to level for {kind}")


def _levels(network: Config) -> Iterator[Problem]:
    """Given strides and kernel sizes that do not fit the number of levels or the architecture."""
    kind, channels, strides, kernels = (network[key] for key in ("architecture", "channels", "strides", "kernel_sizes"))
    for key, given, fewer in (("strides", strides, 1), ("kernel_sizes", kernels, 0)):
        if given != "auto" and channels == "auto":
            yield Problem(f"network.{key}", "cannot be given while network.channels is auto")
        elif given != "auto" and len(given) != len(channels) - fewer:
            needed = f"network.channels has {len(channels)} levels and needs {len(channels) - fewer}"
            text = f"has {len(given)} entries; {needed}"
            yield Problem(f"network.{key}", text)
    if KINDS[kind].even_strides and strides != "auto" and any(stride != [2, 2, 2] for stride in strides):
        yield Problem("network.strides", f"should be [2, 2, 2] at each level for {kind}")
    if not KINDS[kind].kernels_vary and kernels != "auto" and any(kernel != [3, 3, 3] for kernel in kernels):
        yield Problem("network.kernel_sizes", f"should be [3, 3, 3] at each level for {kind}")


def _class_weights(config: Config) -> Iterator[Problem]:
    labels = config["target"]["labels"]
    for name in config["train"]["class_weights"]:
        if name not in labels:
            yield Problem(f"train.class_weights.{name}", f"is none of the labels {', '.join(labels)}")


def _start(config: Config) -> Iterator[Problem]:
    start = config["train"]["init_from"]
    if start and not Path(start).is_file():
        yield Problem("train.init_from", f"{show(start)} is not a file")
    yield from _own_result(config, "train.init_from", start)
    if config["train"]["freeze_encoder"] and not start:
        yield Problem("train.freeze_encoder", "needs train.init_from: a random encoder has to be trained")


def _mirrors(config: Config) -> Iterator[Problem]:
    for axis in config["infer"]["mirror_axes"]:
        if axis not in config["augment"]["flip_axes"]:
            yield Problem("infer.mirror_axes", f"{axis} is not in augment.flip_axes: the network never saw such images")


def _groups(config: Config) -> Iterator[Problem]:
    if config["measure"]["groups"] and config["cases"]["source"] != "table":
        yield Problem("measure.groups", f"needs cases.source: table, not {config['cases']['source']}")


def _model(config: Config) -> Iterator[Problem]:
    if config["model"] and not Path(config["model"]).is_file():
        yield Problem("model", f"{show(config['model'])} is not a file")
    yield from _own_result(config, "model", config["model"])


def _own_result(config: Config, key: str, path: str | None) -> Iterator[Problem]:
    """A result of this study as its input: Snakemake deletes the outputs of a job before it runs."""
    results = Path("results", config["study"])
    if path and Path(path).resolve().is_relative_to(results.resolve()):
        cure = "copy it elsewhere, or give this study another name"
        yield Problem(key, f"{show(path, longest=200)} is a result of this study, which would be overwritten; {cure}")


def _engine(config: Config) -> Iterator[Problem]:
    engine, precision = config["infer"]["engine"], config["infer"]["precision"]
    able = [name for name, precisions in PRECISIONS_OF.items() if precision in precisions]
    if precision != "auto" and engine not in ("auto", *able):
        yield Problem("infer.precision", f"{precision} needs the engine {' or '.join(able)}, not {engine}")


def _shares(config: Config) -> Iterator[Problem]:
    size, gpus = config["plan"]["batch_size"], config["train"]["gpus"]
    if size != AUTO and size % gpus:
        yield Problem("plan.batch_size", f"{size} is no multiple of train.gpus, {gpus}, which share each batch evenly")


# Each check with the keys that it reads. It is to be skipped if the schema already rejected one of them.
CHECKS: list[tuple[tuple[str, ...], Callable[[Config], Iterator[Problem]]]] = [
    (("cases.source", "cases.table", "cases.image", "cases.label", "cases.folder"), _source),
    (("study", "cases.source"), _name_of_study),
    (("cases.source", "target.labels"), _nodules_alone),
    (("cases.source", "cases.phantom"), _phantom_ranges),
    (("target.labels",), _label_values),
    (("target.labels", "target.roi_names"), _roi_names),
    (("plan.window_hu",), _window),
    (("plan.patch_size", "plan.spacing_mm", "network.channels", "network.strides"), _patch_size),
    (("network",), _network),
    (("target.labels", "train.class_weights"), _class_weights),
    (("infer.mirror_axes", "augment.flip_axes"), _mirrors),
    (("measure.groups", "cases.source"), _groups),
    (("infer.engine", "infer.precision"), _engine),
    (("model", "study"), _model),
    (("plan.batch_size", "train.gpus"), _shares),
    (("train.init_from", "train.freeze_encoder", "study"), _start),
]
