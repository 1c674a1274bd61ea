"""Judge prompts by the rules of moderation.yaml: plain words that anyone can read and argue with.

In: a normalised prompt. Out: the rule that it breaks, or None. `publishing=True` adds the rules for what strangers see.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).with_name("moderation.yaml")
_NAMED_LIST = re.compile(r"\{(\w+)\}")
_HANGUL_BEFORE = "(?<![가-힣])"


@dataclass(frozen=True)
class Matcher:
    """Words to look for: `begins` at the beginning of a Korean word, `inside` anywhere in the squeezed text."""

    begins: re.Pattern[str] | None
    inside: tuple[str, ...]
    english: re.Pattern[str] | None

    def matches(self, text: str, squeezed: str) -> bool:
        if any(word in squeezed for word in self.inside):
            return True
        return any(pattern is not None and pattern.search(text) for pattern in (self.begins, self.english))


@dataclass(frozen=True)
class Rule:
    """One rule: refused when each of `needs` matches. `reason` by language, all that the person reads."""

    name: str
    reason: dict[str, str]
    needs: tuple[Matcher, ...]

    def breaks(self, text: str, squeezed: str) -> bool:
        return all(need.matches(text, squeezed) for need in self.needs)


@dataclass(frozen=True)
class Rules:
    """Everything that moderation.yaml says."""

    harmless: re.Pattern[str]
    harmless_unworn: re.Pattern[str]
    harmless_published: re.Pattern[str]
    worn: Matcher
    drawing: tuple[Rule, ...]
    publishing: tuple[Rule, ...]


def judge(text: str, publishing: bool = False) -> Rule | None:
    """The rule that a normalised prompt breaks, or None; `publishing`: by the rules for what strangers see too."""
    rules = load_rules()
    left = rules.harmless.sub(" ", text.lower())
    if not rules.worn.matches(left, _squeeze(left)):
        left = rules.harmless_unworn.sub(" ", left)
    broken = _first(rules.drawing, left)
    if broken is None and publishing:
        broken = _first(rules.publishing, rules.harmless_published.sub(" ", left))
    return broken


def judge_beside(text: str) -> Rule | None:
    """The rule that a text breaks which strangers read beside a picture but which is not drawn: a negative prompt."""
    rules = load_rules()
    return _first(rules.publishing, rules.harmless_published.sub(" ", text.lower()))


@cache
def load_rules(path: Path = RULES) -> Rules:
    """Read the rules. Raises ValueError naming what is wrong."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    lists = data["lists"]
    return Rules(
        harmless=_phrases(data["unless"], lists),
        harmless_unworn=_phrases(data["unless_unworn"], lists),
        harmless_published=_phrases(data["published_anyway"], lists),
        worn=_matcher(lists["worn"]),
        drawing=tuple(_rule(entry, path.name) for entry in data["rules"]),
        publishing=tuple(_rule(entry, path.name) for entry in data["publishing"]),
    )


def _first(rules: Sequence[Rule], text: str) -> Rule | None:
    squeezed = _squeeze(text)
    return next((rule for rule in rules if rule.breaks(text, squeezed)), None)


def _squeeze(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


def _rule(entry: Mapping[str, Any], file: str) -> Rule:
    if not entry.get("any") or set(entry.get("reason", ())) != {"ko", "en"}:
        raise ValueError(f"{file}: rule {entry.get('name')!r} needs `any` and a reason in ko and en")
    needs = tuple(_matcher(words) for words in (entry["any"], *entry.get("all_of", [])))
    return Rule(entry["name"], entry["reason"], needs)


def _matcher(words: Sequence[str]) -> Matcher:
    korean = [_squeeze(word) for word in words if not word.isascii()]
    short = [re.escape(word) for word in korean if len(word) <= 2]
    english = [_english(word) for word in words if word.isascii()]
    return Matcher(
        re.compile(f"{_HANGUL_BEFORE}(?:{'|'.join(short)})") if short else None,
        tuple(word for word in korean if len(word) > 2),
        re.compile(rf"(?<![a-z])(?:{'|'.join(english)})(?![a-z])") if english else None,
    )


def _phrases(phrases: Sequence[str], lists: Mapping[str, Sequence[str]]) -> re.Pattern[str]:
    """One pattern for all phrases, longest first, with the words of each {list} in its place."""
    written = {spelt for phrase in phrases for spelt in _spelt(phrase, lists)}
    patterns = []
    for phrase in sorted(written, key=lambda one: (-len(one), one)):
        if phrase.isascii():
            patterns.append(rf"(?<![a-z]){_english(phrase)}(?![a-z])")
        else:
            patterns.append(r"\s*".join(re.escape(part) for part in phrase.split()))
    return re.compile("|".join(patterns))


def _spelt(phrase: str, lists: Mapping[str, Sequence[str]]) -> list[str]:
    names = _NAMED_LIST.findall(phrase)
    form = _NAMED_LIST.sub("{}", phrase)
    return [form.format(*words) for words in itertools.product(*(lists[name] for name in names))]


def _english(phrase: str) -> str:
    return r"[\s-]+".join(re.escape(part) for part in phrase.split())
