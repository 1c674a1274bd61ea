"""What answers while the database cannot be opened: every request with 503 and the cure, `/healthz` with 200."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from demo.store.errors import ServiceError, message, set_language
from demo.web.problems import problem


def create_damaged_app(error: ServiceError) -> Flask:
    """An application without services that says what is wrong."""
    app = Flask("damaged", static_folder=None)

    @app.before_request
    def choose_language() -> None:
        set_language(request.accept_languages.best_match(["ko", "en"], default="ko"))

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(ok=True)

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        missing = [{"code": error.code, "message": message(error.code, error.values)}]
        return jsonify(ready=False, missing=missing, checks={"database": error.code}), 503

    @app.errorhandler(Exception)
    def refuse(_error: Exception) -> Response:
        return problem(error)

    return app
