"""Fewer bytes for a domain's own kernels, by training them."""

from keras_mdl.compression.compressing import compress as compress
from keras_mdl.compression.grid import (
    require_compression as require_compression,
)

__all__ = ["compress", "require_compression"]
