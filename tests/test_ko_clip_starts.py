"""Where a student's weights come from: its teacher, a hub encoder, another student; what such a folder must hold."""

import pytest
import torch
from ko_clip_parts import (
    make_clip,
    make_klue,
    make_sentence_teacher,
    make_xlm_roberta,
    metrics,
    write_pairs,
    write_recipe,
)
from safetensors.torch import load_file

from ko_clip.distill import distil
from ko_clip.encoder import PromptEncoder
from ko_clip.recipe import load_recipe, with_text
from ko_clip.teachers import fingerprint
from ko_clip.train import main

# diffusers hands torch tensors to numpy 2 the old way
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    return make_clip(folder / "clip"), write_pairs(folder / "pairs.csv", repeat=3)


@pytest.fixture(scope="module")
def trained(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    recipe = load_recipe(write_recipe(folder / "recipe.yaml", *parts, folder / "run"))
    return recipe, distil(recipe)


def test_a_student_starts_from_its_teachers_weights(parts, tmp_path):
    recipe = load_recipe(
        write_recipe(
            tmp_path / "r.yaml",
            *parts,
            tmp_path / "run",
            start="teacher",
            student={"decoder_layers": 1, "attention_heads": 2},
        )
    )
    encoder = PromptEncoder.load(distil(recipe))
    assert encoder.base(["빨간 원피스"]).shape == (1, 77, 32)


def test_a_student_of_its_teachers_weights_has_no_more_tokens_than_those_have_places(parts, tmp_path):
    student = {"decoder_layers": 1, "attention_heads": 2, "max_tokens": 128}
    path = write_recipe(tmp_path / "r.yaml", *parts, tmp_path / "run", start="teacher", student=student)
    encoder = PromptEncoder.load(distil(with_text(load_recipe(path), steps=1)))
    assert encoder.max_tokens == 75
    assert encoder.base(["빨간 모자 " * 100]).shape == (1, 77, 32)


@pytest.mark.parametrize(("make", "begin"), [(make_klue, "[CLS]"), (make_xlm_roberta, "<s>")])
def test_a_student_starts_from_a_korean_or_multilingual_encoder_of_the_hub(parts, tmp_path, make, begin):
    hub, student = make(tmp_path / "hub"), {"width": 32, "attention_heads": 2, "decoder_layers": 1, "max_tokens": 20}
    start = {"start": "hub", "start_path": str(hub), "student": student}
    recipe = load_recipe(write_recipe(tmp_path / "r.yaml", *parts, tmp_path / "run", **start))
    before = load_file(hub / "model.safetensors")
    encoder = PromptEncoder.load(distil(with_text(recipe, steps=2)))
    kept = encoder.model.backbone.encoder.state_dict()
    name = "encoder.layer.0.attention.self.query.weight"
    assert torch.allclose(kept[name], before[next(k for k in before if k.endswith(name))], atol=0.01)
    assert encoder.tokenizer.tokenizer.id_to_token(encoder.tokenizer.bos_id) == begin
    assert encoder.max_tokens == 18 and encoder.count_tokens("빨간 모자") == 2
    assert encoder.dropped("빨간 모자 " * 9 + "파란 가방").strip() == "파란 가방"
    assert not torch.allclose(encoder.base(["빨간 모자"]), encoder.base(["파란 모자"]))


def test_a_search_head_learns_from_any_sentence_transformers_model(parts, tmp_path):
    heads = {"search": {"teacher": str(make_sentence_teacher(tmp_path)), "kind": "sentence", "contrast": 0.05}}
    text = {"steps": 60, "batch": 16, "warmup": 2, "precision": "float32", "threads": 1, "evaluate_every": 30}
    recipe = write_recipe(tmp_path / "r.yaml", *parts, tmp_path / "run", teacher=None, heads=heads, text=text)
    encoder = PromptEncoder.load(distil(load_recipe(recipe)))
    found = [row["search.cosine"] for row in metrics(tmp_path / "run") if "search.cosine" in row]
    assert encoder.search(["빨간 원피스"]).shape == (1, 32) and encoder.teachers == {}
    assert encoder.model.config.head_specs()["search"].teacher == fingerprint(tmp_path / "teacher")
    assert found and found[-1] < 0.5  # 1: at right angles to the teacher


@pytest.mark.parametrize(("change", "message"), [
    ({"student": {"max_tokens": 64}}, "has room for 32: give no more"),
    ({"remove": "tokenizer.json"}, "has no tokenizer.json: give a folder in the Hugging Face layout"),
    ({"remove": "config.json"}, "has no config.json: give a folder in the Hugging Face layout"),
    ({"remove": "model.safetensors"}, "has no safetensors: open it once with transformers' AutoModel"),
])  # fmt: skip
def test_what_a_hub_folder_lacks_is_said(parts, tmp_path, capsys, change, message):
    hub = make_klue(tmp_path / "hub")
    if gone := change.pop("remove", None):
        (hub / gone).unlink()
    recipe = {"student": {"max_tokens": 20}, **change, "start": "hub", "start_path": str(hub)}
    assert main(["--config", str(write_recipe(tmp_path / "r.yaml", *parts, tmp_path / "run", **recipe))]) == 2
    assert message in capsys.readouterr().err


def test_a_student_starts_from_another_and_refuses_a_teacher_of_another_width(trained, parts, tmp_path, capsys):
    path = write_recipe(
        tmp_path / "r.yaml", *parts, tmp_path / "run", start="student", start_path=str(trained[1]), student={}
    )
    assert main(["--config", str(path), "--steps", "2"]) == 0
    wide = make_clip(tmp_path / "wide", width=48)
    path = write_recipe(
        tmp_path / "w.yaml", wide, parts[1], tmp_path / "other", start="student", start_path=str(trained[1]), student={}
    )
    assert main(["--config", str(path)]) == 2
    assert "its teacher (48, 0): start from nothing" in capsys.readouterr().err.replace(
        "gives (states, pooled) (32, 0), ", ""
    )
