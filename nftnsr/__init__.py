"""nftnsr: a NAT router for this machine, in a network namespace of the same machine."""

__version__ = "0.1.0"
