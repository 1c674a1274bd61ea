"""The routes of docs/reference/api.md, a blueprint each: parse, call the service once, answer."""
