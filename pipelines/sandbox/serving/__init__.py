"""The account over HTTP: the routes, the page of what it offers, the control routes, the server."""
