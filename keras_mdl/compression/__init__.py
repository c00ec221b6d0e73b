"""Fewer bytes for a domain's own kernels, by training them."""

from keras_mdl.compression.compressing import compress as compress
from keras_mdl.compression.ways import WAYS as WAYS
from keras_mdl.compression.ways import (
    require_compression as require_compression,
)

__all__ = ["WAYS", "compress", "require_compression"]
