"""The metrics against what is known in closed form, and the comparison of two models in pairs."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from diffusion.metrics import (
    FEWEST,
    Comparison,
    TooFewPictures,
    attribute_accuracy,
    clip_scores,
    compare,
    compare_means,
    diversity,
    frechet_distance,
    garment_probabilities,
    inception_analogue,
    kernel_distance,
    markdown,
    sharpness,
)
from diffusion.report import ClipJudge, Judged, compare_all, compare_distributions
from fashion.scene import Scene, sample_scene
from testing.random_checkpoint import write_checkpoint


@dataclass(frozen=True)
class Seen:
    garment: str
    color: str
    pattern: str
    sleeve: str | None
    hem: str | None
    mask: np.ndarray
    confidence: float


class Oracle:
    """A scorer that reads its answers from the scenes, wrong for every `slip`-th picture."""

    def __init__(self, scenes: Sequence[Scene], slip: int) -> None:
        self.scenes, self.slip = scenes, slip

    def detect(self, pictures: Sequence[Image.Image]) -> list[list[Seen]]:
        return [[self._see(g, i % self.slip == 0) for g in s.garments] for i, s in enumerate(self.scenes)]

    def vectors(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        return np.stack([np.asarray(each.resize((4, 2)), dtype=float).mean(2).ravel() for each in pictures])

    def _see(self, garment: object, wrong: bool) -> Seen:
        color = ("red" if garment.color != "red" else "blue") if wrong else garment.color
        return Seen(garment.kind, color, garment.pattern, garment.sleeve, garment.hem, np.ones((32, 32), bool), 0.9)


def pictures(n: int, seed: int, blur: float = 0.0) -> list[Image.Image]:
    noise = np.random.default_rng(seed).integers(0, 255, (n, 32, 32, 3), dtype=np.uint8)
    return [Image.fromarray(each).filter(ImageFilter.GaussianBlur(blur)) for each in noise]


def test_the_inception_analogue_is_one_for_identical_and_k_for_balanced_one_hot_predictions() -> None:
    assert inception_analogue(np.full((60, 8), 1 / 8)) == pytest.approx(1)
    assert inception_analogue(np.tile(np.eye(8)[0], (60, 1))) == pytest.approx(1)
    assert inception_analogue(np.tile(np.eye(8), (10, 1))) == pytest.approx(8)


def test_the_frechet_distance_is_zero_for_the_same_set_and_a_shift_squared_for_a_shift() -> None:
    a = np.random.default_rng(0).normal(size=(400, 6))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + np.array([3, 0, 0, 0, 0, 0])) == pytest.approx(9)
    assert frechet_distance(a, 2 * a) == pytest.approx(np.trace(np.cov(a.T)) + np.sum(a.mean(0) ** 2))


def test_the_kernel_distance_is_about_zero_for_one_distribution_and_not_for_two() -> None:
    rng = np.random.default_rng(0)
    a, b, c = rng.normal(size=(300, 6)), rng.normal(size=(300, 6)), rng.normal(1, 1, size=(300, 6))
    assert abs(kernel_distance(a, b)) < 0.1
    assert kernel_distance(a, c) > 1


def test_the_kernel_distance_is_its_closed_form_for_a_shifted_gaussian() -> None:
    """One feature, N(1, 1) against N(0, 1): with moments 1, 2, 4 and 0, 1, 0 the kernel's means are 32, 4 and 7."""
    rng = np.random.default_rng(0)
    b = rng.normal(size=(3000, 1))
    b = (b - b.mean()) / b.std()
    assert kernel_distance(rng.normal(1, 1, size=(2500, 1)), b) == pytest.approx(32 + 4 - 2 * 7, rel=0.15)


def test_the_kernel_distance_has_no_bias_for_small_sets_nor_for_pictures_of_the_same_scenes() -> None:
    """Means over many small sets of one distribution, at a scorer's scale; a pair's pictures are nearly one."""
    rng = np.random.default_rng(0)
    apart, paired = [], []
    for _ in range(300):
        a, b = rng.normal(5, 30, size=(2, 50, 8))
        apart.append(kernel_distance(a, b))
        paired.append(kernel_distance(a, a + rng.normal(size=a.shape)))
    for values in (apart, paired):
        assert abs(np.mean(values)) < 3 * np.std(values) / 300**0.5
        assert np.std(values) < 0.5


def test_the_kernel_distance_does_not_depend_on_the_scale_of_features() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 6)), rng.normal(0.5, 1, size=(80, 6))
    assert kernel_distance(40 * a - 7, 40 * b - 7) == pytest.approx(kernel_distance(a, b))
    assert kernel_distance(a.astype(np.float32), b.astype(np.float32)) == pytest.approx(kernel_distance(a, b), abs=1e-5)


def test_a_bootstrap_of_the_kernel_distance_lies_about_its_value() -> None:
    """Repeated rows that were compared with themselves would lift every resampled value above the true one."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(100, 6)), rng.normal(0.3, 1, size=(100, 6))
    values = [kernel_distance(a, b, rng.integers(0, 100, 100)) for _ in range(200)]
    assert np.mean(values) == pytest.approx(kernel_distance(a, b), abs=3 * np.std(values) / 200**0.5)
    assert kernel_distance(a, b, np.arange(100)) == kernel_distance(a, b)


def frechet_row(a: np.ndarray, b: np.ndarray, real: np.ndarray) -> Comparison:
    """The row of the Fréchet distance of two models' features to real ones."""
    dress = [[Seen("dress", "red", "solid", None, None, np.ones((1, 1), bool), 0.8)]] * len(a)
    judged = [Judged([Image.new("RGB", (1, 1))] * len(a), dress, each) for each in (a, b)]
    return compare_distributions(*judged, real)[0]


def test_a_frechet_distance_in_a_table_has_no_bias_and_lies_in_its_own_interval() -> None:
    """N(0.3, 1.2²) and N(0, 1) against N(0, 1) in 8 dimensions: (0.3² + 0.2²) · 8 = 1.04, and 0."""
    rng, held, worse, raw, rows = np.random.default_rng(0), 0, 0, [], []
    for _ in range(12):
        far, near, real = rng.normal(0.3, 1.2, (80, 8)), rng.normal(size=(80, 8)), rng.normal(size=(90, 8))
        row = frechet_row(far, near, real)
        for side in (row.ours, row.theirs, row.difference):
            assert side.low <= side.value <= side.high
        held += (row.ours.low <= 1.04 <= row.ours.high) + (row.theirs.low <= 0 <= row.theirs.high)
        raw.append((frechet_distance(far, real), frechet_distance(near, real)))
        rows.append((row.ours.value, row.theirs.value))
        worse += row.verdict == "worse"
    assert held >= 21  # of 24
    assert worse >= 9  # of 12
    assert np.mean(raw, axis=0) == pytest.approx([1.7, 0.6], abs=0.2)
    assert np.mean(rows, axis=0) == pytest.approx([1.04, 0], abs=0.2)


def test_an_inception_analogue_in_a_table_has_less_bias_and_lies_in_its_own_interval() -> None:
    """20 even classes, each picture surely of one: 20 for endless pictures, and 100 rows show fewer of them."""
    rng, raw, corrected = np.random.default_rng(0), [], []
    for _ in range(20):
        rows = np.eye(20)[rng.integers(0, 20, 100)]

        def measure(pick: np.ndarray, rows: np.ndarray = rows) -> float:
            return inception_analogue(rows[pick])

        row = compare("x", 100, measure, measure, draws=100, biased=True)
        assert row.ours.low <= row.ours.value <= row.ours.high
        assert row.difference.value == 0
        raw.append(measure(np.arange(100)))
        corrected.append(row.ours.value)
    assert np.mean(raw) < 18.5
    assert abs(np.mean(corrected) - 20) < 0.5 * abs(np.mean(raw) - 20)


def test_too_few_pictures_are_an_error() -> None:
    few = np.random.default_rng(0).normal(size=(FEWEST - 1, 4))
    many_features = np.random.default_rng(0).normal(size=(FEWEST, FEWEST))
    for wrong in (
        lambda: frechet_distance(few, few),
        lambda: frechet_distance(many_features, many_features),
        lambda: kernel_distance(few, few),
        lambda: inception_analogue(np.full((10, 4), 0.25)),
        lambda: inception_analogue(np.full((60, 61), 1 / 61)),
        lambda: diversity(np.zeros((3, 1, 4))),
    ):
        with pytest.raises(TooFewPictures):
            wrong()


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        inception_analogue(np.ones((60, 4)))


def test_clip_scores_are_cosines_in_percent_and_never_negative() -> None:
    text = np.array([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    seen = np.array([[1.0, 0.0], [-1.0, 0.0], [0.8, 0.6]])
    assert clip_scores(text, seen) == pytest.approx([100, 0, 96])


def test_attribute_accuracy_counts_only_what_was_asked() -> None:
    right = [[{"garment": True, "color": True}, {"garment": True, "color": False, "hem": True}], [{"garment": False}]]
    assert [list(each) for each in attribute_accuracy(right, "color")] == [[1, 0], [2, 0]]
    assert [list(each) for each in attribute_accuracy(right, "all")] == [[1, 0], [2, 1]]


def test_diversity_is_zero_for_copies_and_one_for_orthogonal_pictures() -> None:
    assert diversity(np.ones((2, 3, 4))) == pytest.approx([0, 0])
    assert diversity(np.eye(3)[None]) == pytest.approx([1])


def test_folders_of_many_pictures_are_measured_in_little_memory() -> None:
    """20,000 vectors: all pairs of them would take 3.2 GB."""
    vectors = np.random.default_rng(0).normal(size=(20_000, 4))
    pairs = vectors[:200] / np.linalg.norm(vectors[:200], axis=1, keepdims=True)
    cosines = (pairs @ pairs.T)[np.triu_indices(200, 1)]
    assert diversity(vectors[None, :200])[0] == pytest.approx(1 - cosines.mean())
    tracemalloc.start()
    try:
        assert diversity(vectors[None])[0] == pytest.approx(1, abs=0.01)
        assert kernel_distance(vectors[:6000], vectors[6000:12_000]) == pytest.approx(0, abs=0.01)
        assert tracemalloc.get_traced_memory()[1] < 200e6
    finally:
        tracemalloc.stop()


def test_sharpness_falls_with_blur() -> None:
    assert sharpness([Image.new("RGB", (16, 16), "red")])[0] == 0
    assert sharpness(pictures(1, 0))[0] > 2 * sharpness(pictures(1, 0, blur=1.0))[0]


def test_a_picture_without_garments_is_a_class_of_its_own() -> None:
    dress = Seen("dress", "red", "solid", None, None, np.ones((1, 1), bool), 0.8)
    rows = garment_probabilities([[dress], []], ["dress", "coat"])
    assert rows == pytest.approx(np.array([[0.8, 0.1, 0.1], [0, 0, 1]]))


def test_pairs_show_a_small_difference_that_two_separate_intervals_hide() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(0, 10, 200)
    row = compare_means("x", base + 0.5 + rng.normal(0, 0.5, 200), base)
    assert row.verdict == "better"
    assert row.ours.low < row.theirs.high
    assert compare_means("x", base, base).verdict == "no difference shown"
    assert compare_means("x", base + 1, base, higher_is_better=False).verdict == "worse"
    with pytest.raises(ValueError, match="the same requests"):
        compare_means("x", base, base[:-1])


def test_two_models_are_compared_on_every_metric(tmp_path: Path) -> None:
    scenes = [sample_scene(seed) for seed in range(80)]
    ours = Judged.by(Oracle(scenes, 40), pictures(80, 1))
    theirs = Judged.by(Oracle(scenes, 3), [each.point(lambda v: v // 2) for each in pictures(80, 2)])
    real = Oracle(scenes, 40).vectors(pictures(80, 3))
    write_checkpoint(tmp_path)
    clip = ClipJudge(tmp_path / "clip")
    rows = {row.name: row for row in compare_all(scenes, ours, theirs, real, ["a dress"] * 80, clip, seeds=2)}
    assert rows["color accuracy"].verdict == rows["all accuracy"].verdict == "better"
    assert rows["garment accuracy"].ours.value == 1
    assert rows["sharpness"].verdict == "better"
    assert rows["Fréchet distance (scorer features)"].verdict == "better"
    assert rows["garment Inception-Score analogue"].ours.value > 2
    assert {"CLIP score", "diversity over seeds", "kernel distance (scorer features)"} <= set(rows)
    table = markdown(list(rows.values()))
    assert table.count("\n") == len(rows) + 1
    with pytest.raises(TooFewPictures):
        compare_distributions(replace(ours, vectors=ours.vectors[:9], pictures=ours.pictures[:9]), theirs, real)
