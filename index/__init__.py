"""Vector search over past prompts: Annoy on disk, an exact memory segment in memory, the truth in a database."""

from index.options import IndexOptions
from index.prompt_index import PromptIndex
from index.records import Hit, Record, RefusedRecord, UnknownId
from index.tables import metadata

__all__ = ["Hit", "IndexOptions", "PromptIndex", "Record", "RefusedRecord", "UnknownId", "metadata"]
