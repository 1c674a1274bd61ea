"""The APIs that programs already speak, OpenAI's Images and AUTOMATIC1111's, as jobs of `jobspec`: only translation.

Identity, limits, errors, visibility and deletion are those of /api/v1. Every field of a request is declared with what
becomes of it (`fields`); docs/reference/compatible.md has the same as a table.
"""
