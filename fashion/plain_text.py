"""The words of a text that a shop wrote as HTML: entities read, tags dropped, scripts and styles left out."""

from __future__ import annotations

from html.parser import HTMLParser

from hangul.normalize import clean

_SILENT = ("script", "style", "template")
_INLINE = frozenset(
    ("a", "abbr", "b", "em", "font", "i", "mark", "s", "small", "span", "strong", "sub", "sup", "u", "wbr")
)
_ROUNDS = 3  # feeds escape what is escaped already: &amp;lt;b&amp;gt;


def plain_text(html: str) -> str:
    """The text in NFC with single blanks; what is no HTML stays as it is."""
    for _ in range(_ROUNDS):
        if "&" not in html and "<" not in html:
            break
        reader = _Reader()
        reader.feed(html)
        reader.close()
        if (text := "".join(reader.texts)) == html:
            break
        html = text
    return clean(html)


class _Reader(HTMLParser):
    """Gathers texts; a tag of a block parts words, one inside a line does not."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag not in _INLINE:
            self.texts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag not in _INLINE:
            self.texts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.texts.append(data)
