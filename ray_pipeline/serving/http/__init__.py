"""The service over HTTP: one ASGI application, whoever runs it."""
