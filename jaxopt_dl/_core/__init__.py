"""Ground floor: what every package may use, and nothing of networks or training.

It re-exports nothing; import the module you need, such as `jaxopt_dl._core.errors`.
"""
