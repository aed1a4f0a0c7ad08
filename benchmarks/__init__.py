"""Benchmarks: nproxy_mw next to other npm registries and caches, on one corpus, in one run.

Start with ``python -m benchmarks run --quick``; ``README.md`` explains what is measured and how. The package needs
Linux and the standard library. It is not part of the distribution, and it uses nproxy_mw through its command line only.
"""
