"""What comes in and goes out under /fabric."""

from __future__ import annotations

from pydantic import Field

from demo.web.schemas import Answer, Id, Query
from jobspec.fabric import ItemName


class ItemQuery(Query):
    item: ItemName


class MapsQuery(Query):
    item: ItemName | None = Field(None, description="A default item.")
    image: Id | None = Field(None, description="A picture that the caller may see.")


class Labelled(Answer):
    id: str
    label: dict[str, str]


class FabricOut(Answer):
    categories: list[Labelled]
    items: list[Labelled]
    patterns: bool = Field(description="Whether patterns can be made: there is a generator.")
    finds_garments: bool = Field(description="Whether garments are found in pictures; without it masks are painted.")
