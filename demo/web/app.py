"""The web application: `create_app(settings)` composes services, security, errors and routes. No model draws here."""

from __future__ import annotations

from apiflask import APIFlask
from flask import Blueprint
from werkzeug.middleware.proxy_fix import ProxyFix

from demo.store import collector
from demo.store.settings import Settings
from demo.studio.services import Services, open_services
from demo.web import problems, security
from demo.web.api import (
    about,
    admin,
    closet,
    drafts,
    fabric,
    generations,
    images,
    people,
    prompts,
    reference,
    selection,
    status,
    trash,
)
from demo.web.compat import openai_answers, openai_images
from demo.web.metrics import Metrics
from demo.web.pages import blueprint as pages
from demo.web.post_page import blueprint as post_page
from demo.web.present import StrictJSON
from demo.web.streams import Streams


def create_app(settings: Settings, services: Services | None = None) -> APIFlask:
    """The application over its services (made from the settings unless handed in)."""
    app = APIFlask(
        "demo", title="그려줘", version="1", docs_path=None, spec_path=None,
        static_folder=None,  # type: ignore[arg-type]  # Flask takes None; APIFlask's hint forgets it
    )  # fmt: skip
    app.json = StrictJSON(app)
    services = services or open_services(settings)
    app.config["SETTINGS"] = settings
    app.extensions["services"] = services
    app.extensions["about"] = services.about
    app.extensions["streams"] = streams = Streams(services.generations, services.watcher, settings.streams)
    app.extensions["metrics"] = metrics = Metrics(services.database, services.readiness)
    metrics.open_streams = lambda: streams.open
    app.extensions["people_limiter"] = security.install(app, settings)
    problems.install(app)
    for blueprint in (generations.blueprint, drafts.blueprint, fabric.blueprint, images.blueprint, prompts.blueprint,
                      about.blueprint, people.blueprint, admin.blueprint, closet.blueprint, selection.blueprint,
                      trash.blueprint, status.blueprint, openai_images.blueprint, pages, post_page):  # fmt: skip
        _register(app, blueprint)
    if settings.a1111:
        from demo.web.compat import a1111  # off by default: imported where asked for

        _register(app, a1111.blueprint)
    app.extensions["dialects"] = {"openai": openai_answers.error_fields}
    reference.install(app)
    if settings.proxies:
        hops = settings.proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    collector.go_on()
    return app


def _register(app: APIFlask, blueprint: Blueprint) -> None:
    app.register_blueprint(blueprint)
