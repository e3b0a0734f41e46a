"""From an HTTP request to a validated call of one ECS operation, and back.

May import: botocore, werkzeug, `kecs_server.credentials`. Knows the wire, not what ECS does.
"""
