"""The paper's `#par` column beside what the networks here really have.

The ten domains of the Visual Decathlon, the base's included, at full size.
**No single convention reproduces the column that Guo et al. print** (Table 2).
Its caption says "relative to the proposed approach", but

* DAN's 2.17 and Piggyback's 1.28 are quoted from papers that count relative
  to one network of their own (1 + 9 x 0.13, and 1 + 9 / 32 with masks of one
  bit), and so are the residual adapters' 2;
* total without heads / one dense ResNet-26 (5,814,688 parameters) gives the
  1, 5 (4.57), 4 (4.48, cut off) and 2 of the other rows, and 0.46 for
  classifier only, where 0.6 is printed;
* total with heads / the proposed total with heads gives 0.58 there (0.60 if
  classifier only means with BatchNorms of its own), and not the other rows.

So each row has the totals, both quotients and the printed value; which one is
meant has to be said whenever one is quoted.
"""

from keras_mdl.data import decathlon
from keras_mdl.domains import Domain
from keras_mdl.models import build_dense_resnet26, build_resnet26
from keras_mdl.models.cost import domain_cost
from keras_mdl.training import METHODS, get_method

BASE = "imagenet12"
DENSE_RESNET26 = 5_814_688  # parameters without head
SEPARABLE, DENSE = "resnet26", "dense_resnet26"
_BUILD = {SEPARABLE: build_resnet26, DENSE: build_dense_resnet26}
# Where the printed column says something, on the network it is about. DAN and
# Piggyback were published on yet other networks.
PRINTED = {
    (SEPARABLE, "pointwise_sharing"): "1x",
    (SEPARABLE, "individual"): "5x",
    (SEPARABLE, "classifier_only"): "0.6x",
    (SEPARABLE, "depthwise_sharing"): "4x",
    (DENSE, "serial_adapter"): "2x",
    (DENSE, "parallel_adapter"): "2x",
    (DENSE, "dan_linear"): "2.17x",
    (DENSE, "piggyback"): "1.28x",
}


def par_column(size=72, pairs=None):
    """One dict for each network and method, of the full-size networks.

    `parameters`, `bytes` and `statistics`: private ones of each further domain,
    without its head. `total`: parameters of the ten-domain system without
    heads, masks counted as stored (32 bits are one); `total_with_heads`: with
    all ten heads. `to_dense`, `to_own`, `to_proposed`: see the module.
    `printed`: the paper's `#par`, or `""`. `macs`, `macs_folded`:
    multiply-accumulates of one image of a further domain, without the head.
    Takes half a minute: builds the networks.

    Args:
        size: Side of the images; MACs depend on it, nothing else does.
        pairs: `(network, method)`s, `(SEPARABLE, "pointwise_sharing")` among
            them; default all methods on the separable network, and on the
            dense one those that are printed.
    """
    if pairs is None:
        pairs = [(SEPARABLE, m) for m in METHODS]
        pairs += [pair for pair in PRINTED if pair[0] == DENSE]
    bases = {
        network: _BUILD[network]({BASE: 1000}, (size, size, 3))
        for network, _ in pairs
    }
    rows = [_count(network, m, bases[network]) for network, m in pairs]
    proposed = next(
        r["total_with_heads"]
        for r in rows
        if (r["network"], r["method"]) == (SEPARABLE, "pointwise_sharing")
    )
    return [
        {**r, "to_proposed": r["total_with_heads"] / proposed} for r in rows
    ]


def _count(network, method, base):
    own = domain_cost(base[BASE])
    _, view = get_method(method).start(base, Domain("further", 2))
    cost = domain_cost(view)
    per_class = cost.head // 2
    classes = sum(decathlon.facts(d).num_classes for d in decathlon.names())
    total = (own.bits + 9 * cost.bits) / 32
    # The classifier's products are its kernel without the bias.
    head_macs = 2 * (per_class - 1)
    return {
        "network": network,
        "method": method,
        "parameters": cost.parameters,
        "bytes": cost.bytes,
        "statistics": cost.statistics,
        "total": total,
        "total_with_heads": total + per_class * classes,
        "to_dense": total / DENSE_RESNET26,
        "to_own": total / own.parameters,
        "printed": PRINTED.get((network, method), ""),
        "macs": cost.macs - head_macs,
        "macs_folded": cost.macs_folded - head_macs,
    }
