"""One thread that compares what is wanted with what was observed, and acts.

`agent` does for a task what the ECS agent does on a host, `services` keeps desired counts; both
are pure but for the records they are given. `loop` is the thread. May import `engines`, `state`,
`domain`.
"""
