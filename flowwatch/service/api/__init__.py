"""The handlers of the HTTP API, one module a noun; what each needs of who asks stands in `flowwatch.service.routes`."""
