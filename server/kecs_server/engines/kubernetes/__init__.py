"""The kubernetes engine: one bare Pod for each task.

`engine.KubernetesEngine` keeps the contract of `engines.base`. Commands go through `ordered` to
`api` (the only module that imports `kubernetes`) and, on kind, to the nodes (`nodes`); the watch
thread (`watch`) hands raw Pods to `facts`, `tracker` turns them into observations. `pods` and
`names` build manifests. Clusters come from `clusters`: one made with the kind CLI (`kind`), or
whatever a kubeconfig reaches. May import `engines.base` and the standard library.
"""
