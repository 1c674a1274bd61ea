"""The routes of docs/api.md, a blueprint each: parse, call the service once, answer."""
