"""Texts of the page in each language; all languages have the same keys."""

from serving.page.chinese import CHINESE
from serving.page.english import ENGLISH

TEXTS = {"English": ENGLISH, "中文": CHINESE}
