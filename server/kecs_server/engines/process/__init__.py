"""Containers as processes of this machine.

`engine` keeps tasks and turns the supervisor's events into observations; `launching` says what a
container runs (pure but for looking at files); `link` is the server's end of the talk with
`supervisor`, a script of its own that starts and reaps; `leftovers` ends what a dead supervisor
left. Imports `engines.base` only.
"""
