"""Checks of what ECS does, against any server that speaks its API. They are run by the caller's
credentials, and make everything under names of their own."""
