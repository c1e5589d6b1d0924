"""The drop-in path: what an integration written against the hosted product sends, answered as it reads answers."""

PREFIX = "/api/integration/"
