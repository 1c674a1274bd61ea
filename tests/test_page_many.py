"""Ten thousand pictures in one collection: scrolled without a long task, searched in the time of a hundred."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_fakes import FakeEncoder, model_folders
from page_world import World, drawn, expect, generations, open_world, until
from playwright.sync_api import Page
from sqlalchemy import insert, select

from demo.store.database import Database, open_database
from demo.store.settings import Settings
from demo.store.tables import Collection, CollectionItem, Generation, Image, new_id, new_picture_id
from demo.studio.prompts import search_key

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(1800)]
MANY, FEW, SET = 10_000, 100, 4
TOGETHER = 30  # pictures of a chunk of the list
GARMENTS = ("원피스", "저고리", "두루마기", "코트", "치마", "조끼", "셔츠", "당의")
COLOURS = ("빨간", "파란", "노란", "초록", "분홍", "남색", "하얀", "검은", "보라색", "회색")
FOUND = GARMENTS[:3]  # what a collection of a hundred has, too
LONG_TASKS = """() => { window.long = []; new PerformanceObserver((list) => list.getEntries()
    .forEach((e) => window.long.push(e.duration))).observe({type: 'longtask', buffered: true}); }"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("many")


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[World]:
    unlimited = dict.fromkeys(("RATE_READS", "RATE_ADDRESS"), "1000000/minute")  # it scrolls faster than a hand
    with open_world(folder, 0.01, **unlimited) as world:
        yield world


@pytest.fixture(scope="module")
def page(world: World, folder: Path) -> Page:
    page = world.person()
    drawn(page, "빨간 원피스")
    database = open_database(Settings(data_dir=folder / "data", **model_folders(folder)))
    for name, count in (("많은 옷", MANY), ("적은 옷", FEW)):
        fill(database, generations(page)[0]["id"], name, count)
    database.close()
    page.reload()
    return page


def fill(database: Database, source: str, name: str, count: int) -> None:
    """A collection of so many pictures, copies of one generation's rows under other prompts."""
    encoder, now = FakeEncoder(), time.time()
    with database.write() as session:
        first = session.get_one(Generation, source)
        picture = session.scalars(select(Image).where(Image.generation_id == source)).first()
        collection, sets, images, items = new_id(), [], [], []
        for i in range(count // SET):
            prompt = f"{COLOURS[i % 10]} {GARMENTS[i // 10 % 8]} {i}"
            row = columns(first) | {"id": new_id(), "index_id": new_id(), "prompt": prompt, "created_at": now - i}
            vector = encoder.search([prompt])[0].tobytes()
            sets.append(row | {"prompt_key": search_key(prompt), "vector": vector})
            for position in range(SET):
                id = new_picture_id(row["id"])
                images.append(columns(picture) | {"id": id, "generation_id": row["id"], "position": position})
                items.append({"collection_id": collection, "image_id": id, "added_at": now - i - position * 0.1})
        session.add(Collection(id=collection, owner_id=first.owner_id, name=name, created_at=now, place=now))
        session.flush()
        for table, rows in ((Generation, sets), (Image, images), (CollectionItem, items)):
            session.execute(insert(table), rows)


def columns(row: object) -> dict[str, object]:
    return {column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}


def open_collection(page: Page, name: str, count: int) -> None:
    page.click("[data-place=closet]")
    page.locator("#closet-shelves .piece", has_text=name).click()
    expect(page.locator("#closet-count")).to_have_text(f"그림 {count:,}장")


def seconds_to_find(page: Page, word: str) -> float:
    """From the last letter to the pictures that are found."""
    page.fill("#closet-search", "")
    until(page, "!document.querySelector('#closet-count').textContent.includes('관련도순')")
    started = time.perf_counter()
    page.fill("#closet-search", word)
    until(page, "document.querySelector('#closet-count').textContent.includes('관련도순')")
    return time.perf_counter() - started


def test_ten_thousand_pictures_scroll_without_a_long_task_and_few_are_in_the_document(page: Page) -> None:
    open_collection(page, "많은 옷", MANY)
    page.wait_for_timeout(1000)
    page.evaluate(LONG_TASKS)
    page.evaluate("window.long.length = 0")
    chunks = 0
    while chunks < MANY // TOGETHER:
        page.mouse.wheel(0, 2500)
        page.wait_for_timeout(60)
        chunks = page.evaluate("document.querySelector('#closet-list').childElementCount")  # a locator's look is long
    assert page.locator("#closet-list .piece").count() < 600
    long = page.evaluate("window.long")
    print(f"{len(long)} long tasks, the longest {max(long, default=0):.0f} ms, over {chunks} chunks")
    assert max(long, default=0) < 50
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("#closet-list .chunk").first.locator(".piece")).to_have_count(TOGETHER)


def test_a_search_in_ten_thousand_takes_little_longer_than_in_a_hundred(page: Page) -> None:
    seconds = {}
    for name, count in (("적은 옷", FEW), ("많은 옷", MANY)):
        page.click("[data-place=draw]")
        open_collection(page, name, count)
        page.wait_for_timeout(1000)  # its first pictures come
        seconds[count] = statistics.median(seconds_to_find(page, word) for word in FOUND * 2)
    print(f"found in {FEW}: {seconds[FEW] * 1000:.0f} ms, in {MANY}: {seconds[MANY] * 1000:.0f} ms")
    assert seconds[MANY] < 1.5 * seconds[FEW]
