"""The API held against its own OpenAPI document: schemathesis, generated clients, and `make verify-api`."""
