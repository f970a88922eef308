"""The Chinese README has the same commands as the English README."""

import re

from places import ROOT

ENGLISH, CHINESE = (ROOT.joinpath(name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
COMMANDS = ("make ", "snakemake", "ctseg ", "python ", "pip ")


def blocks(text):
    """Code blocks with their language, in order."""
    return re.findall(r"^```(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text):
    """Commands in running text, independent of line breaks."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return {span for span in spans if span.startswith(COMMANDS)}


def test_each_block_of_code_is_the_same():
    assert len(blocks(ENGLISH)) >= 5
    assert blocks(CHINESE) == blocks(ENGLISH)


def test_each_command_of_the_chinese_text_is_one_of_the_english_text():
    assert len(commands(CHINESE)) >= 10
    known = commands(ENGLISH) | {
        line.partition("#")[0].strip() for block in blocks(ENGLISH) for line in block.splitlines()
    }
    assert commands(CHINESE) <= known


def test_every_link_leads_to_a_file():
    for text in (ENGLISH, CHINESE):
        for link in re.findall(r"\]\((?!http)([^)#]+)", text):
            assert (ROOT / link).exists(), link


def test_both_know_each_other():
    assert "(README.zh.md)" in ENGLISH
    assert "(README.md)" in CHINESE
