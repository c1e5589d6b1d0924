"""The answers as models: what the OpenAPI document says of them, and what the tests hold every answer against.

The rows themselves leave as the fold wrote them; no answer is built through these.
"""
