"""Timings of pytest-kecs beside those of its peers, measured in one run: `python -m benchmarks`.

How to read it. Every row of the table is one thing measured: ours, and a peer's, with the median
and in brackets the range from the 10th to the 90th percentile, over `rounds` rounds. Ours and the
peer take turns within a round, so both met the same machine. `ratio` is ours divided by the
peer's; for API calls both are taken less the time of a canned answer, which is what the client,
the loopback and Werkzeug cost whatever the server does. `aim` is what the project wants of the
row, and `met` says whether this run kept to it; rows without an aim are there to be known.

Peers:

- `moto_server`: moto's server of PyPI, in `.venv-moto` (made at first use), a process of its own;
  it closes every connection after one answer, and what that costs its clients is counted;
- `canned answer`: Werkzeug with our HTTP settings that answers with our bytes, unseen;
- `Popen`: the task's own command, started by `subprocess.Popen`;
- `kubectl`: `kubectl run` of an equal Pod on the same cluster, watched by `kubectl get --watch`.

The lines above the table name the machine in general terms, and say so when other programs took
part of its processors while the figures were made: such figures are worth little.
"""
