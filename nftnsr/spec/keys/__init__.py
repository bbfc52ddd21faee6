"""Every key of a spec, documented once; the reader, the schema and the reference use these tables.

Types and defaults are the model's: here stands what a person must know to write the key.
"""

from .address import ADDRESS_KEYS
from .filter import FILTER_KEYS
from .forward import FORWARD_KEYS
from .host import HOST_KEYS
from .inner import INNER_KEYS
from .key import Key, Kind
from .made import MADE_KEYS
from .route import ROUTE_KEYS
from .router import ROUTER_KEYS
from .service import SERVICE_KEYS
from .snat import SNAT_KEYS
from .uplink import FURTHER_KEYS, UPLINK_KEYS

__all__ = [
    "ADDRESS_KEYS",
    "FILTER_KEYS",
    "FORWARD_KEYS",
    "FURTHER_KEYS",
    "HOST_KEYS",
    "INNER_KEYS",
    "MADE_KEYS",
    "ROUTER_KEYS",
    "ROUTE_KEYS",
    "SERVICE_KEYS",
    "SNAT_KEYS",
    "UPLINK_KEYS",
    "Key",
    "Kind",
]
