"""Containers as processes of this machine.

`engine` keeps tasks and turns the supervisor's events into observations; `launching` says what a
container runs, with `users` and `directories`; `memory` watches what it uses; `link` is the
server's end of the talk with `supervisor`, a process of its own that starts and reaps (with
`leader`, `isolating` and `kernel`: standard library only); `leftovers` ends what a dead supervisor
left. `namespaces` is the server's end of the talk with `netns`, a process of its own that makes
networks for tasks (with `netlink` and `isolating`: standard library only). Imports `engines.base`
only.
"""
