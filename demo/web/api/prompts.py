"""Words and search: /search, /suggest, /prompts/analyze."""

from __future__ import annotations

import time

from apiflask import APIBlueprint

from demo.store.errors import language
from demo.studio import prompts, words
from demo.studio.outside import near_examples, outside
from demo.web import present, schemas
from demo.web.current import services, viewer

blueprint = APIBlueprint("prompts", __name__, url_prefix="/api/v1", tag="Words and search")


@blueprint.get("/search")
@blueprint.input(schemas.SearchQuery, location="query", arg_name="asked")
@blueprint.output(schemas.SearchOut)
@blueprint.doc(summary="Find past prompts, Korean or English")
def search(asked: schemas.SearchQuery) -> dict:
    started = time.perf_counter()
    query, searcher = prompts.clean(asked.q, "q"), services().searcher
    found = searcher.near(query, searcher.vector(query), asked.k, viewer(), asked.scope) if query else []
    results = [present.similar(one) for one in services().generations.show_found(found, viewer())]
    return {"query": query, "results": results, "took_ms": round((time.perf_counter() - started) * 1000, 2)}


@blueprint.get("/suggest")
@blueprint.input(schemas.SuggestQuery, location="query", arg_name="asked")
@blueprint.output(schemas.Suggestions)
@blueprint.doc(summary="Complete the last word")
def suggest(asked: schemas.SuggestQuery) -> dict:
    return {"suggestions": [vars(one) for one in words.suggest(asked.q, asked.limit)]}


@blueprint.post("/prompts/analyze")
@blueprint.input(schemas.Analyze, arg_name="asked")
@blueprint.output(schemas.AnalysisOut)
@blueprint.doc(summary="How much of the limit a prompt uses, and what is unknown in it")
def analyze(asked: schemas.Analyze) -> dict:
    known = services().asking.analyze(asked.prompt)
    strange = outside(known.normalized, services().readiness.domain())
    return {
        "normalized": known.normalized,
        "characters": len(known.normalized),
        "max_characters": prompts.MAX_CHARACTERS,
        "tokens": known.tokens,
        "max_tokens": known.max_tokens,
        "unknown_words": [{"word": word, "start": start, "end": end} for word, start, end in known.unknown],
        "read_as": [{"word": r.text, "meant": r.replacement, "start": r.start, "end": r.end} for r in known.readings],
        "unwanted": known.unwanted,
        "warnings": [present.warning(vars(one)) for one in known.warnings],
        "allowed": known.rejected is None,
        "outside": strange,
        "examples": _near(known.normalized) if strange else [],
    }


def _near(prompt: str) -> list[str]:
    searcher = services().searcher
    return near_examples(prompt, language(), searcher.vector if searcher.ready else None)
