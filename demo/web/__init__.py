"""HTTP: the application, the JSON API, the page. The only room that knows Flask."""
