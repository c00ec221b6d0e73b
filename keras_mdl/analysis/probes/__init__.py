"""Images with known concepts, pixel by pixel, to probe networks with."""
