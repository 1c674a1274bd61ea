"""HTTP: the application, the JSON API, the page. The only room that knows Flask."""

from demo.store import collector

collector.rest()  # until `create_app` has its application
