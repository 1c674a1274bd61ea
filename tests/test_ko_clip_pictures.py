"""Evaluation sets of captioned pictures in the forms of their authors, and the tables over them."""

from __future__ import annotations

import csv
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_ko_clip_existing import SHIPPED, clip_folder

from fashion.captions import caption
from fashion.drawing import draw
from fashion.scene import sample_scene
from ko_clip import evaluate_pictures
from ko_clip.measures import grouped_recall
from ko_clip.picture_sets import drawn_pictures, read_culture, read_xm3600, read_xtd

CLIP = SHIPPED.parent / "clip"
COUNT = 8


@pytest.fixture(scope="module")
def scenes() -> list[tuple[str, str, Image.Image]]:
    """(Korean caption, English caption, picture) of held-out scenes."""
    drawn = [sample_scene(5_000_000 + number, "held_out") for number in range(COUNT)]
    return [
        (caption(s, "ko", seed=1).text, caption(s, "en", seed=1).text, Image.fromarray(draw(s, 256))) for s in drawn
    ]


@pytest.fixture
def xtd(tmp_path: Path, scenes: list) -> Path:
    folder = tmp_path / "xtd"
    (folder / "val2014").mkdir(parents=True)
    names = [f"COCO_val2014_{number:012}.jpg" for number in range(COUNT)]
    for name, (_, _, picture) in zip(names, scenes, strict=True):
        picture.save(folder / "val2014" / name, quality=95)
    (folder / "test_image_names.txt").write_text("\n".join(names) + "\n", "utf-8")
    for place, language in enumerate(("ko", "en")):
        text = "\n".join(scene[place] for scene in scenes)
        (folder / f"test_1kcaptions_{language}.txt").write_text(text + "\n", "utf-8")
    return folder


@pytest.fixture
def xm3600(tmp_path: Path, scenes: list) -> Path:
    folder = tmp_path / "xm3600"
    (folder / "images").mkdir(parents=True)
    lines = []
    for number, (korean, english, picture) in enumerate(scenes):
        picture.save(folder / "images" / f"key{number}.jpg", quality=95)
        languages = {"ko": {"caption": [korean, f"{korean} 그림"]}, "en": {"caption": [english]}}
        lines.append(json.dumps({"image/key": f"key{number}", "image/locale": "ko"} | languages, ensure_ascii=False))
    (folder / "captions.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def test_sets_are_read_as_their_authors_give_them_out(xtd: Path, xm3600: Path, scenes: list) -> None:
    first, second = read_xtd(xtd), read_xm3600(xm3600)
    assert first.captions["ko"] == [scene[0] for scene in scenes] and first.owners["en"] == list(range(COUNT))
    assert first.pictures[3].name == "COCO_val2014_000000000003.jpg"
    assert len(second.captions["ko"]) == 2 * COUNT and second.owners["ko"][:4] == [0, 0, 1, 1]
    assert second.pictures[2].name == "key2.jpg"


def test_what_is_missing_or_does_not_match_is_named(xtd: Path, xm3600: Path, tmp_path: Path) -> None:
    (xtd / "val2014" / "COCO_val2014_000000000003.jpg").unlink()
    with pytest.raises(FileNotFoundError, match="no picture COCO_val2014_000000000003.jpg"):
        read_xtd(xtd)
    with (xtd / "test_1kcaptions_ko.txt").open("a", encoding="utf-8") as file:
        file.write("하나 더\n")
    with pytest.raises(ValueError, match="9 lines, test_image_names.txt 8"):
        read_xtd(xtd)
    with (xm3600 / "captions.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"image/key": "x"}')
    with pytest.raises(ValueError, match=r"line 9.*image/key and, for each of ko, en"):
        read_xm3600(xm3600)
    with pytest.raises(FileNotFoundError, match=r"captions\.jsonl is missing"):
        read_xm3600(tmp_path)


def test_recall_counts_any_of_a_pictures_own_texts() -> None:
    pictures = np.eye(3, dtype=np.float32)
    texts = np.array([[1, 0, 0], [0, 1, 0.5], [0, 0.9, 1], [0, 0, 1]], dtype=np.float32)
    found = grouped_recall(texts, pictures, np.array([0, 0, 1, 2]), (1, 2))
    assert found["text→picture"] == {1: 0.5, 2: 0.75}
    assert found["picture→text"] == {1: pytest.approx(2 / 3), 2: 1.0}


def test_one_command_gives_the_table_of_students_and_papers(
    xtd: Path, xm3600: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "others.csv"
    others.write_text("set,encoder,captions,text→picture R@1\nXM3600,MuLan,ko,0.5\n", "utf-8")
    given = ["--clip", CLIP, "--encoder", SHIPPED, "--xtd", xtd, "--xm3600", xm3600, "--others", others]
    assert evaluate_pictures.main([str(each) for each in (*given, "--out", tmp_path / "out")]) == 0
    tables = json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8"))
    rows = {(row["set"], row["encoder"]): row for row in tables["Pictures and captions"]}
    ours = rows["XM3600", "korean"]
    assert ours["n"] == 2 * COUNT and ours["text→picture R@5"] >= 0.75  # drawn scenes are what it learnt
    assert rows["XTD-10", "clip, English"]["text→picture R@5"] >= 0.75
    assert rows["XM3600", "MuLan (as published)"]["text→picture R@1"] == 0.5
    assert rows["XM3600", "MuLan (as published)"]["text→picture R@5"] == "-"
    assert "MuLan (as published)" in capsys.readouterr().out and list((tmp_path / "out").glob("*.png"))


def test_a_korean_clip_of_others_is_asked_with_its_own_pictures(xtd: Path, tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "theirs")
    out = tmp_path / "out"
    given = ["--clip", str(CLIP), "--encoder", str(folder), "--xtd", str(xtd), "--out", str(out)]
    assert evaluate_pictures.main(given) == 0
    rows = json.loads((out / "evaluation.json").read_text("utf-8"))["Pictures and captions"]
    assert [row["encoder"] for row in rows] == ["clip, English", "theirs"]


def marian_folder(folder: Path) -> Path:
    """The layout of opus-mt-ko-en, untrained."""
    sentencepiece = pytest.importorskip("sentencepiece", reason="pip install -r requirements-dev.txt")
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    folder.mkdir()
    text = "\n".join(["빨간 원피스", "파란 코트", "a red dress", "a blue coat"] * 20)
    (folder / "text").write_text(text, "utf-8")
    pieces = {"input": str(folder / "text"), "model_prefix": str(folder / "source")}
    sentencepiece.SentencePieceTrainer.train(**pieces, vocab_size=60, hard_vocab_limit=False, minloglevel=2)
    for name in ("source.spm", "target.spm"):
        shutil.copy(folder / "source.model", folder / name)
    known = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.model"))
    words = dict.fromkeys(["</s>", "<unk>", *map(known.id_to_piece, range(known.get_piece_size())), "<pad>"])
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    files = [str(folder / name) for name in ("source.spm", "target.spm", "vocab.json")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a normaliser of English punctuation
        MarianTokenizer(*files).save_pretrained(folder)
    sizes = {f"{side}_{what}": size for side in ("encoder", "decoder")
             for what, size in (("layers", 1), ("ffn_dim", 16), ("attention_heads", 2))}  # fmt: skip
    config = MarianConfig(
        vocab_size=len(words), d_model=16, max_position_embeddings=64, pad_token_id=len(words) - 1, eos_token_id=0,
        decoder_start_token_id=len(words) - 1, **sizes,
    )  # fmt: skip
    MarianMTModel(config).save_pretrained(folder)
    return folder


def test_translating_first_is_a_row_beside_the_encoders(xtd: Path, tmp_path: Path) -> None:
    folder, out = marian_folder(tmp_path / "opus"), tmp_path / "out"
    given = ["--clip", CLIP, "--encoder", SHIPPED, "--translator", folder, "--xtd", xtd, "--out", out]
    assert evaluate_pictures.main([str(each) for each in given]) == 0
    rows = json.loads((out / "evaluation.json").read_text("utf-8"))["Pictures and captions"]
    assert [row["encoder"] for row in rows] == ["clip, English", "korean", "opus + clip"]
    assert rows[2]["captions"] == "ko" and rows[2]["text→picture R@1"] < rows[1]["text→picture R@1"]


def test_an_encoder_of_another_clip_is_refused(xtd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = clip_folder(tmp_path / "other")
    assert evaluate_pictures.main(["--clip", str(folder), "--encoder", str(SHIPPED), "--xtd", str(xtd)]) != 0
    assert "distilled from" in capsys.readouterr().err


def test_a_culture_set_is_judged_by_what_was_drawn_from_each_kind_of_prompt(
    tmp_path: Path, scenes: list, capsys: pytest.CaptureFixture[str]
) -> None:
    table, pictures = tmp_path / "culture.csv", tmp_path / "drawn"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ko", "en_rom", "en_sem"])
        writer.writerows([korean, f"romanised {number}", english] for number, (korean, english, _) in enumerate(scenes))
    assert read_culture(table).prompts["en_rom"][1] == "romanised 1"
    for kind, turned in (("ko", 0), ("en_rom", 1)):  # the latter show the wrong scene
        (pictures / kind).mkdir(parents=True)
        for number in range(COUNT):
            scenes[(number + turned) % COUNT][2].save(pictures / kind / f"{number:04}.png")
    out = tmp_path / "out"
    given = ["--clip", str(CLIP), "--culture", str(table), "--pictures", str(pictures), "--out", str(out)]
    assert evaluate_pictures.main(given) == 0
    found = {
        row["drawn from"]: row for row in json.loads((out / "evaluation.json").read_text("utf-8"))["Korean culture"]
    }
    assert found["ko"]["CLIP similarity"] > found["en_rom"]["CLIP similarity"] + 0.05
    (pictures / "ko" / "0003.png").unlink()
    with pytest.raises(ValueError, match="7 pictures, the set 8 prompts"):
        drawn_pictures(pictures / "ko", COUNT)
    shutil.rmtree(pictures / "ko")
    table.write_text("ko,english words\n", "utf-8")
    assert evaluate_pictures.main(given[:-2]) != 0
    assert "is missing" in capsys.readouterr().err
