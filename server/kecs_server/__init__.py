"""An Amazon ECS server whose tasks really run.

Data flows one way, and so do imports: `protocol` (HTTP and SigV4 to validated parameters) ->
`operations` (one handler for each ECS operation) -> `state` (realms, one lock each) ->
`scheduler` (one thread: desired against observed) -> `engines` (processes or Pods), whose
observations come back to the scheduler. `domain` holds the facts and rules that all of them use.
"""
