"""Styles as they are asked for: tags in a prompt, a list, a command line's words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from jobspec import Draw, StyleUse, Vary, of_row, take_tags


@pytest.mark.parametrize(
    ("prompt", "left", "styles"),
    [
        ("빨간 갓", "빨간 갓", []),
        ("빨간 갓 <lora:수묵화:0.8>", "빨간 갓", [("수묵화", 0.8)]),
        ("<lora:수묵화:0.8> 빨간 갓", "빨간 갓", [("수묵화", 0.8)]),
        ("빨간 갓, <lora:수묵화:0.8>, 파란 치마", "빨간 갓, 파란 치마", [("수묵화", 0.8)]),
        ("갓<lora:a><LORA: b : -0.5 >치마", "갓 치마", [("a", 1.0), ("b", -0.5)]),
        ("갓 <lora:a:0.2:0.7>", "갓", [("a", 0.7)]),  # text encoder, U-Net
        ("갓 <lyco:a:1>", "갓", [("a", 1.0)]),
        ("a < b > c <lora>", "a < b > c <lora>", []),
        ("갓 <lora::1>", "갓 <lora::1>", []),
    ],
)
def test_tags_are_taken_out_of_a_prompt(prompt: str, left: str, styles: list[tuple[str, float]]) -> None:
    text, found = take_tags(prompt)
    assert (text, [(each["name"], each["weight"]) for each in found]) == (left, styles)


def test_a_job_has_the_styles_of_its_list_and_of_its_tags() -> None:
    job = Draw(prompt="갓 <lora:b:0.5>", styles=[StyleUse(name="a")])
    assert job.prompt == "갓" and job.styles == [StyleUse(name="a"), StyleUse(name="b", weight=0.5)]
    assert of_row(job.to_row()) == job
    assert job.changed(n=2).styles == job.styles
    assert Vary(prompt="갓 <lora:b:0.5>", source_image="0" * 32).styles == [StyleUse(name="b", weight=0.5)]


def test_a_row_from_before_there_were_styles_has_none_and_its_key_is_as_it_was() -> None:
    old = {name: value for name, value in Draw(prompt="갓").to_row().items() if name != "styles"}
    assert of_row(old) == Draw(prompt="갓")
    assert Draw(prompt="갓").batch_key() == '["draw", null, null, true, null, null, null]'


def test_jobs_of_other_styles_are_other_batches() -> None:
    keys = {Draw(prompt="갓", styles=[StyleUse(name=n, weight=w)]).batch_key() for n in "ab" for w in (0.5, 1.0)}
    assert len(keys | {Draw(prompt="갓").batch_key()}) == 5


@pytest.mark.parametrize("prompt", ["갓 <lora:a:3>", "갓 <lora:a:nan>", "갓 <lora:a:much>", "<lora:a:1>"])
def test_a_weight_out_of_range_and_a_prompt_of_tags_alone_are_refused(prompt: str) -> None:
    with pytest.raises(ValidationError):
        Draw(prompt=prompt)


def test_a_command_line_names_styles_with_their_weights() -> None:
    assert StyleUse.parse("수묵화") == StyleUse(name="수묵화")
    assert StyleUse.parse("수묵화:0.8") == StyleUse(name="수묵화", weight=0.8)
    with pytest.raises(ValueError, match="weight"):
        StyleUse.parse("수묵화:9")
