"""A checkpoint that brings a safety checker is obeyed: what it flags is failed as content_flagged, never shown."""

from __future__ import annotations

from pathlib import Path

import torch
from demo_client import open_studio
from demo_fakes import FakePipeline, fake_worker
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

from demo.worker.safety import CheckedPipeline, open_judge, with_safety_checker

VISION = {
    "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 16, "projection_dim": 8,
}  # fmt: skip


def write_checker(folder: Path, objects: bool) -> Path:
    """A tiny checker that flags everything, or nothing."""
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=VISION, projection_dim=8))
    checker.concept_embeds_weights.data.fill_(-2.0 if objects else 2.0)
    checker.special_care_embeds_weights.data.fill_(2.0)
    checker.save_pretrained(folder / "safety_checker")
    size = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=size).save_pretrained(folder / "feature_extractor")
    return folder


def test_what_the_checker_flags_fails_and_is_never_shown(tmp_path: Path) -> None:
    for objects, status in ((True, "failed"), (False, "succeeded")):
        judge = open_judge(write_checker(tmp_path / str(objects), objects))
        studio = open_studio(tmp_path / f"studio-{objects}", worker=False)
        person = studio.person()
        id = person.draw("원피스", n=2)["id"]
        worker = fake_worker(studio.settings, CheckedPipeline(FakePipeline(0), judge))
        worker._open()
        worker.work_once()
        answer = person.get(f"/generations/{id}").json
        assert answer["status"] == status
        assert (answer["error"] or {}).get("code") == ("content_flagged" if objects else None)
        assert len(list(studio.services.storage.found())) == (0 if objects else 6)
        worker.close()
        studio.close()


def test_a_checkpoint_without_a_checker_is_left_alone(tmp_path: Path) -> None:
    pipeline = FakePipeline()
    assert with_safety_checker(pipeline, str(tmp_path)) is pipeline
    write_checker(tmp_path, True)
    assert isinstance(with_safety_checker(pipeline, str(tmp_path)), CheckedPipeline)
