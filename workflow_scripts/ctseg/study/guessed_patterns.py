"""Path patterns with {case}, guessed from paths: the inverse of `path_patterns`."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LABEL_WORDS = r"seg|segs|segmentation|segmentations|label|labels|labelstr|mask|masks|gt|dseg|roi|rois|annotation|manual"
LABEL_WORDS += r"|annotations|contour|contours|tumou?r|lesion|nodule|derivatives|rtstruct|rs"
SCAN_WORDS = r"ct|image|images|imagestr|img|scan|0000|volume"
TAIL = re.compile(rf"(?:[._-](?:{LABEL_WORDS}|{SCAN_WORDS}))+$", re.IGNORECASE)
HEAD = re.compile(rf"^(?:{LABEL_WORDS}|{SCAN_WORDS})[._-]", re.IGNORECASE)
SUFFIX = re.compile(r"(\.nii\.gz|\.seg\.nrrd|\.[A-Za-z0-9]+)$")
CASE = "{case}"

Parts = tuple[str, ...]


@dataclass(frozen=True)
class Guess:
    """A pattern, relative to the examined folder, and the path of each case that it matches."""

    parts: Parts
    paths: dict[str, Parts]

    @property
    def text(self) -> str:
        """The pattern as one path."""
        return "/".join(self.parts)

    @property
    def says_label(self) -> bool:
        """Whether the pattern contains a word for labels."""
        words = re.split(r"[^A-Za-z0-9]+", self.text.replace(CASE, " "))
        return any(re.fullmatch(LABEL_WORDS, word, re.IGNORECASE) for word in words)


def guesses(paths: Iterable[Parts], folders: bool = False) -> list[Guess]:
    """Patterns for files, or for `folders`, by decreasing number of cases; each pattern covers paths of one depth."""
    by_depth: dict[int, list[Parts]] = defaultdict(list)
    for path in paths:
        by_depth[len(path)].append(path)
    found = [guess for same in by_depth.values() for guess in _of_one_depth(same, folders)]
    return sorted(found, key=lambda guess: (-len(guess.paths), guess.text))


def _of_one_depth(paths: Sequence[Parts], folders: bool) -> list[Guess]:
    """The patterns of paths with the same number of parts."""
    level = _case_level(paths, folders)
    named: dict[Parts, dict[str, Parts]] = defaultdict(dict)
    for path in paths:
        case, parts = _with_case(path, level)
        named[parts][case] = path
    return [Guess(parts, cases) for parts, cases in _joined(dict(named)).items()]


def _case_level(paths: Sequence[Parts], folders: bool) -> int:
    """Index of the path part that names the case, the part with most distinct values; -1 is the file name."""
    last = len(paths[0]) if folders else len(paths[0]) - 1
    counts = [len({path[level] for path in paths}) for level in range(last)]
    names = 0 if folders else len({_split_name(path[-1])[1] for path in paths})
    best = max(counts, default=0)
    if not best or (best == 1 and names) or best < names:
        return -1
    level = counts.index(best)
    speaks = any(re.fullmatch(f"{LABEL_WORDS}|{SCAN_WORDS}", path[level], re.IGNORECASE) for path in paths)
    return -1 if speaks and names > 1 else level


def _split_name(name: str) -> tuple[str, str, str]:
    """Three parts of a file name: the text before the case name, the case name, and the text after it."""
    suffix = SUFFIX.search(name)
    stem = name[: suffix.start()] if suffix else name
    head = HEAD.search(stem)
    start = head.end() if head else 0
    tail = TAIL.search(stem, start)
    stop = tail.start() if tail and tail.start() > start else len(stem)
    return name[:start], stem[start:stop], name[stop:]


def _with_case(path: Parts, level: int) -> tuple[str, Parts]:
    """The case name of a path, and the path with {case} in its place: from part `level` on, or in the file name."""
    if level >= 0:
        case = path[level]
        return case, tuple(part.replace(case, CASE) if place >= level else part for place, part in enumerate(path))
    before, case, behind = _split_name(path[-1])
    return case, (*path[:-1], f"{before}{CASE}{behind}")


def _joined(named: dict[Parts, dict[str, Parts]]) -> dict[Parts, dict[str, Parts]]:
    """The patterns, with those joined that differ in one part and share no case: a * replaces this part."""
    for place in range(len(next(iter(named)))):
        groups: dict[Parts, list[Parts]] = defaultdict(list)
        for parts in named:
            groups[(*parts[:place], "*", *parts[place + 1 :])].append(parts)
        for star, members in groups.items():
            cases = [case for parts in members for case in named[parts]]
            free = not any(CASE in parts[place] for parts in members)
            if free and len(members) > 1 and len(set(cases)) == len(cases):
                together = {case: path for parts in members for case, path in named.pop(parts).items()}
                named[star] = together
    return named
