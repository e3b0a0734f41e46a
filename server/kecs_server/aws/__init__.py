"""The rest of AWS, as far as ECS touches it: one module for each direction.

`secrets` and `env_files` fetch what a task refers to, `logs` and `events` tell what happened.
`fetching` does the former for the scheduler. Botocore is the client; `endpoints` makes its clients,
when an endpoint is configured and first needed. Imports everything but the HTTP surfaces.
"""
