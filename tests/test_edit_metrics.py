"""Figures of edits: pixels, directions, attributes, and the command over a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffusion import edit_metrics
from diffusion.edit_metrics import attribute_figures, directional, pixel_figures, read_table

HEAD = "source,edited,source_text,target_text\n"


@dataclass
class Garment:
    garment: str
    color: str
    pattern: str = "solid"
    sleeve: str | None = None
    hem: str | None = None
    mask: np.ndarray | None = None
    confidence: float = 1.0


def test_the_same_picture_has_no_distance_and_another_a_known_one() -> None:
    grey, lighter = (Image.new("RGB", (32, 32), (level,) * 3) for level in (102, 153))
    same = pixel_figures(grey, grey)
    assert same == {"psnr": 100.0, "ssim": pytest.approx(1.0), "l2": 0.0}
    other = pixel_figures(grey, lighter)
    assert other["l2"] == pytest.approx(0.2) and other["psnr"] == pytest.approx(20 * np.log10(5), abs=1e-6)
    assert other["ssim"] < 1
    assert pixel_figures(grey, grey.resize((16, 16)))["l2"] == 0.0


def test_a_direction_is_one_where_pictures_move_as_texts_do() -> None:
    texts = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    assert directional(texts, texts) == pytest.approx([1.0])
    assert directional(texts, texts[::-1]) == pytest.approx([-1.0])
    assert directional(texts, np.stack([texts[0], texts[0]])) == pytest.approx([0.0])
    with pytest.raises(ValueError, match=r"\(2, n, d\)"):
        directional(texts, texts[:1])


def test_attributes_that_changed_and_stayed_are_counted_by_garment() -> None:
    before = [Garment("dress", "red", sleeve="long", hem="mini"), Garment("boots", "black")]
    after = [Garment("boots", "black"), Garment("coat", "blue", hem="mini")]
    told = attribute_figures(before, after)
    assert (told["changed"], told["kept"]) == (3.0, 2.0 + 3.0)
    assert told["attributes"] == "garment dress→coat; color red→blue; sleeve long→-"
    assert attribute_figures(before[:1], [])["kept"] == 0.0


def test_a_table_that_lacks_something_is_refused_by_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "edits.csv"
    for text, said in (
        ("", "no rows"),
        ("source,edited\na,b\n", "source_text"),
        (HEAD + "a.png,b.png,red,\n", "line 2"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=said):
            read_table(path)
    assert edit_metrics.main([str(path)]) == 2


def test_the_command_measures_a_table_with_the_checkpoint_that_ships(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name, color in (("a", (206, 38, 42)), ("b", (36, 92, 206))):
        Image.new("RGB", (64, 64), color).save(tmp_path / f"{name}.png")
    table = tmp_path / "edits.csv"
    table.write_text(HEAD + "a.png,b.png,a red dress,a blue dress\n" * 2, encoding="utf-8")
    assert edit_metrics.main([str(table), "-o", str(tmp_path / "out.csv")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("| edits | clip | directional | psnr | ssim | l2 | changed | kept |")
    assert shown[2].startswith("| 2 |")
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 3
