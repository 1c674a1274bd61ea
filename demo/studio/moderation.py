"""Judge prompts by the rules of moderation.yaml: plain words that anyone can read and argue with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

RULES = Path(__file__).with_name("moderation.yaml")


@dataclass(frozen=True)
class Rule:
    """One rule: refused when each of `needs` matches."""

    name: str
    reason: dict[str, str]
    needs: tuple[Matcher, ...]


@dataclass(frozen=True)
class Matcher:
    """Words to look for: `begins` at the beginning of a Korean word, `inside` anywhere in the squeezed text."""

    begins: tuple[str, ...]
    inside: tuple[str, ...]
    english: re.Pattern[str] | None

    def matches(self, text: str, squeezed: str) -> bool:
        if any(word in squeezed for word in self.inside):
            return True
        if any(re.search(rf"(?<![가-힣]){word}", text) for word in self.begins):
            return True
        return bool(self.english and self.english.search(text))


def judge(text: str) -> Rule | None:
    """The rule that a normalised prompt breaks, or None."""
    harmless, rules = load_rules()
    lowered = harmless.sub(" ", text.lower())
    squeezed = "".join(c for c in lowered if c.isalnum())
    return next((rule for rule in rules if all(need.matches(lowered, squeezed) for need in rule.needs)), None)


@cache
def load_rules(path: Path = RULES) -> tuple[re.Pattern[str], tuple[Rule, ...]]:
    """Read the rules. Raises ValueError naming what is wrong."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    rules = []
    for entry in data["rules"]:
        if not entry.get("any") or set(entry.get("reason", ())) != {"ko", "en"}:
            raise ValueError(f"{path.name}: rule {entry.get('name')!r} needs `any` and a reason in ko and en")
        lists = [entry["any"], *entry.get("all_of", [])]
        rules.append(Rule(entry["name"], entry["reason"], tuple(_matcher(words) for words in lists)))
    harmless = re.compile("|".join(re.escape(phrase) for phrase in data["unless"]))
    return harmless, tuple(rules)


def _matcher(words: list[str]) -> Matcher:
    korean = ["".join(c for c in word if c.isalnum()) for word in words if not word.isascii()]
    english = ["[ -]+".join(re.escape(part) for part in word.split()) for word in words if word.isascii()]
    pattern = re.compile(rf"(?<![a-z])(?:{'|'.join(english)})(?![a-z])") if english else None
    short = tuple(word for word in korean if len(word) <= 2)
    return Matcher(short, tuple(word for word in korean if len(word) > 2), pattern)
