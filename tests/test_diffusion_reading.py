"""Prompt readers, what is warned of, and the recipe of a prompt that was drawn otherwise than typed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from demo.studio import pictures
from diffusion.load import load_pipeline
from diffusion.pipeline import TwoStagePipeline
from diffusion.reading import DrawWarning, read_shots
from diffusion.recipe import KEY, png_bytes, read_recipe, read_settings
from diffusion.request import DrawSettings, Shot
from diffusion.specs import domain_of
from fashion.reader import FashionReader
from fashion.vocabulary import known_words
from jobspec import StyleUse
from testing.random_checkpoint import write_checkpoint, write_manifest, write_stable_diffusion

ROOT = Path(__file__).parent.parent
LONG = "a red dress " * 20  # over 75 tokens of a tokenizer without merges


class Corrects:
    """A reader of one word."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, prompt: str) -> str:
        self.asked.append(prompt)
        return prompt.replace("hat", "bucket hat")

    def unwanted(self, prompt: str) -> str:
        return ""

    def read_negative(self, prompt: str) -> str:
        return self.read(prompt)

    def complete(self, prompt: str, seed: int, negative: str) -> str:
        return prompt


class Completes(Corrects):
    """A reader that adds a colour, another one for every seed."""

    def complete(self, prompt: str, seed: int, negative: str) -> str:
        return f"{('red', 'blue', 'green')[seed % 3]} {prompt}" if negative == "yellow" else prompt


class Styled(Completes):
    """The same, which leaves a styled drawing as it is."""

    def styled(self) -> Corrects:
        return Corrects()


@pytest.fixture(scope="module")
def fashion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_checkpoint(tmp_path_factory.mktemp("own"))
    write_manifest(folder, domain="fashion")
    return folder


@pytest.fixture
def pipeline(fashion: Path) -> TwoStagePipeline:
    return load_pipeline(fashion, dtype="float32", reader=Corrects())


def pixels(pipeline: TwoStagePipeline, shot: Shot) -> bytes:
    return pipeline.draw([shot], DrawSettings(steps=2, refine=False)).images[0].tobytes()


def test_what_a_prompt_leaves_open_is_completed_by_the_seed_and_the_negative_prompt_is_not() -> None:
    shots = [Shot("a hat", "yellow", seed=seed) for seed in (0, 1, 0)]
    drawn = [(shot.drawn_prompt, shot.drawn_negative) for shot in read_shots(shots, Completes())]
    assert drawn == [("red a bucket hat", "yellow"), ("blue a bucket hat", "yellow"), ("red a bucket hat", "yellow")]


def test_a_variation_keeps_what_its_source_picture_shows_and_completes_nothing() -> None:
    shot = Shot("a hat", "yellow", seed=1, source=Image.new("RGB", (8, 8)))
    assert read_shots([shot], Completes())[0].drawn_prompt == "a bucket hat"


def test_a_drawing_with_a_style_is_completed_by_the_reader_for_styles(fashion: Path, tmp_path: Path) -> None:
    layer = "unet.down_blocks.0.resnets.0.conv1"
    unet = load_pipeline(fashion, dtype="float32").stages["base"].unet
    shape = unet.get_parameter(f"{layer.removeprefix('unet.')}.weight").shape
    state = {
        f"{layer}.lora_A.weight": torch.ones(1, *shape[1:]),
        f"{layer}.lora_B.weight": torch.ones(shape[0], 1, 1, 1),
    }
    save_file(state, tmp_path / "ink.safetensors")
    pipeline = load_pipeline(fashion, dtype="float32", reader=Styled(), styles=tmp_path)
    shot, few = Shot("a hat", "yellow", seed=1), {"steps": 1, "refine": False}
    for settings, drawn in (
        (DrawSettings(**few), "blue a bucket hat"),
        (DrawSettings(**few, style="ink"), "a bucket hat"),
        (DrawSettings(**few, styles=(StyleUse(name="ink", weight=0.5),)), "a bucket hat"),
        (DrawSettings(**few, style="ink", style_weight=0.0), "blue a bucket hat"),  # as if there were none
    ):
        assert pipeline.draw([shot], settings).recipes[0]["drawn_prompt"] == drawn


def test_the_fashion_reader_leaves_background_and_drawing_style_of_a_styled_drawing_open() -> None:
    plain, styled = FashionReader(), FashionReader().styled()
    for complete in (lambda reader, seed: reader.complete("빨간 원피스를 입은 사람", seed, ""),
                     lambda reader, seed: reader.varied("빨간 원피스를 입은 사람", seed, "", 3)):  # fmt: skip
        found = {reader: {span.field for seed in range(40) for span in known_words(complete(reader, seed))}
                 for reader in (plain, styled)}  # fmt: skip
        assert not {"background", "style"} & found[styled] and {"sleeve", "material"} <= found[styled]
        assert {"background", "style"} & found[plain]
    assert not styled.styled().complete("원피스", 1, "").endswith("픽셀아트")


@pytest.mark.parametrize("module", ["diffusion", "ko_clip", "diffusion.specs", "diffusion.recipe"])
def test_importing_a_package_loads_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'transformers', 'diffusers'}} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_packages_give_what_their_documents_import_from_them() -> None:
    import diffusion
    import ko_clip

    for package in (diffusion, ko_clip):
        assert all(getattr(package, name) is not None for name in package.__all__)
        assert set(package.__all__) <= set(dir(package))
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            package.nothing  # noqa: B018


def test_a_draw_without_settings_is_the_checkpoints_own(pipeline: TwoStagePipeline) -> None:
    drawing = pipeline.draw([Shot("a coat", seed=2)])
    own = dict(vars(pipeline.default_settings))
    assert own.pop("styles") == ()  # none is left out of a recipe
    assert (own.pop("width"), own.pop("height")) == (None, None)  # of a square, too
    assert drawing.recipes[0]["settings"] == own
    assert drawing.warnings == ()


def test_a_checkpoint_of_a_domain_draws_what_its_reader_reads(fashion: Path, pipeline: TwoStagePipeline) -> None:
    assert (pipeline.domain, domain_of(fashion), domain_of(f"{fashion}+sdxl-refiner")) == ("fashion",) * 3
    as_typed = load_pipeline(fashion, dtype="float32")
    assert pixels(pipeline, Shot("a red hat")) == pixels(as_typed, Shot("a red bucket hat"))
    assert pixels(pipeline, Shot("a coat", "a hat")) == pixels(as_typed, Shot("a coat", "a bucket hat"))
    assert pixels(pipeline, Shot("a red hat")) != pixels(as_typed, Shot("a red hat"))


def test_a_checkpoint_without_a_domain_draws_what_is_typed(tmp_path: Path) -> None:
    folder, reader = write_stable_diffusion(tmp_path), Corrects()
    pipeline = load_pipeline(folder, dtype="float32", reader=reader)
    assert (pipeline.domain, domain_of(folder), domain_of("sd15"), domain_of("nowhere")) == ("",) * 4
    pixels(pipeline, Shot("a hat"))
    assert reader.asked == []


def test_a_batch_reads_each_text_once(pipeline: TwoStagePipeline) -> None:
    pipeline.draw([Shot("a hat", "a coat", seed) for seed in range(3)], DrawSettings(steps=1, refine=False))
    assert sorted(pipeline.reader.asked) == ["a coat", "a hat"]


def test_a_recipe_holds_the_prompt_as_typed_and_as_drawn(fashion: Path, pipeline: TwoStagePipeline) -> None:
    settings = DrawSettings(steps=2, refine=False)
    drawing = pipeline.draw([Shot("a hat", "a coat", 3)], settings)
    recipe = drawing.recipes[0]
    assert (recipe["prompt"], recipe["drawn_prompt"], recipe["negative_prompt"]) == ("a hat", "a bucket hat", "a coat")
    assert "drawn_negative_prompt" not in recipe
    shot, again = read_settings(read_recipe(io.BytesIO(png_bytes(drawing.images[0], recipe))))
    unread = load_pipeline(fashion, dtype="float32")  # a recipe is drawn as it was, whatever reads prompts today
    redrawn = unread.draw([shot], again)
    assert redrawn.images[0].tobytes() == drawing.images[0].tobytes()
    assert redrawn.recipes[0]["prompt"] == "a hat"


def test_a_recipe_of_before_there_were_readers_draws_its_own_words(pipeline: TwoStagePipeline) -> None:
    recipe = pipeline.draw([Shot("a hat")], DrawSettings(steps=1, refine=False)).recipes[0]
    old = {**recipe, "format": 1}
    del old["drawn_prompt"]
    assert read_settings(old)[0].drawn_prompt == "a hat"
    with pytest.raises(ValueError, match="format 9: this version reads 1 and 2"):
        read_settings({**recipe, "format": 9})
    with pytest.raises(ValueError, match="recipe has no seed"):
        read_settings({key: value for key, value in recipe.items() if key != "seed"})
    with pytest.raises(ValueError, match="does not know"):
        read_settings({**recipe, "settings": {"hue": 3}})


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/webp"])
def test_the_recipe_of_a_picture_of_the_studio_is_read(pipeline: TwoStagePipeline, kind: str, tmp_path: Path) -> None:
    drawing = pipeline.draw([Shot("빨간 hat")], DrawSettings(steps=1, refine=False))
    data = pictures.encode(drawing.images[0], kind, pictures.GENERATED, drawing.recipes[0])
    assert read_recipe(io.BytesIO(data)) == drawing.recipes[0]
    (tmp_path / "picture").write_bytes(data)
    assert read_recipe(str(tmp_path / "picture")) == drawing.recipes[0]


def test_a_picture_without_a_recipe_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"plain.png has no geuryeojwo recipe"):
        read_recipe(tmp_path / "plain.png")
    with pytest.raises(ValueError, match=r"text.png is no PNG, JPEG or WebP"):
        read_recipe(tmp_path / "text.png")
    from PIL.PngImagePlugin import PngInfo

    for text in ("{", json.dumps([1]), json.dumps({"title": "of another program"})):
        info = PngInfo()
        info.add_itxt("recipe", text)
        info.add_itxt(KEY, text)
        Image.new("RGB", (8, 8)).save(tmp_path / "other.png", pnginfo=info)
        with pytest.raises(ValueError, match="has no geuryeojwo recipe"):
            read_recipe(tmp_path / "other.png")


@pytest.mark.parametrize(
    ("shot", "settings", "expected"),
    [
        (Shot("a", "blue"), {"guidance_scale": 1.0}, ("negative_prompt_unused", {"guidance_scale": 1.0})),
        (Shot("a", LONG), {"guidance_scale": 1.0}, ("negative_prompt_unused", {"guidance_scale": 1.0})),
        (Shot("a", LONG), {}, ("negative_prompt_cut", {"tokens": 180, "max_tokens": 75})),
        (Shot(LONG), {}, ("prompt_cut", {"tokens": 180, "max_tokens": 75})),
        (Shot("a", "blue"), {"guidance_scale": 1.0, "refine": True, "refine_guidance": 2.0}, None),
        (Shot("a", "blue"), {}, None),
        (Shot("a"), {"guidance_scale": 1.0}, None),
    ],
)
def test_what_is_asked_and_does_not_count_is_said(
    pipeline: TwoStagePipeline, shot: Shot, settings: dict, expected: tuple | None
) -> None:
    drawing = pipeline.draw([shot], DrawSettings(**{"steps": 2, "refine": False, **settings}))
    assert drawing.warnings == ((DrawWarning(*expected),) if expected else ())
