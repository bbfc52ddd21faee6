"""How long nftnsr takes, and what it costs the packets, beside the ways it replaces.

    python -m tests.bench [--quick] [--json FILE] [NAME ...]

Run as root, from the top of the repository, on any machine: all of it happens in namespaces of
its own (see `box`). Every figure is a median of runs that alternate with those of its rivals, so
that a machine that is busy for a while is busy for all of them. No figure is a failure.
"""
