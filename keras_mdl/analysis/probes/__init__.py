"""Images with known concepts, pixel by pixel, to probe networks with."""

from keras_mdl.analysis.probes.broden import Broden
from keras_mdl.analysis.probes.drawn import DrawnProbe
from keras_mdl.analysis.probes.probe import Concept, Labels, ProbeSet

__all__ = ["Broden", "Concept", "DrawnProbe", "Labels", "ProbeSet"]
