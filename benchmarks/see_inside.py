"""Which concepts depthwise and pointwise outputs detect, beside chance.

    keras-mdl train --data miniimagenet=../data/miniimagenet --flip \\
        --size 48 --epochs 9 --seed 0 --out base.keras
    keras-mdl add-domain base.keras --data dtd=../data/dtd --flip --epochs 16 \\
        --out 1.keras
    keras-mdl add-domain 1.keras --data gtsrb=../data/gtsrb --epochs 4 \\
        --out 2.keras
    keras-mdl add-domain 2.keras --data flowers=../data/flowers --flip \\
        --epochs 10 --out all.keras
    python benchmarks/see_inside.py all.keras --name resnet26 --seed 0 \\
        --layers 10 14 18 20 22
    python benchmarks/see_inside.py resnet26 --untrained --seed 0 \\
        --name "resnet26, untrained" --layers 10 14 18 20 22
    python benchmarks/see_inside.py efficientnet_lite0 --size 224
    python benchmarks/see_inside.py efficientnet_lite0 --size 224 --untrained \\
        --name "efficientnet_lite0, untrained"

Layers 18, 20 and 22 of 25, or as deep, are the paper's. The probe set is the
embedded one. A row for each network, seed, domain, layer and half goes to
`results/see_inside.csv`: units, unique detectors and detectors, the same for
the labels of other images (`by_chance`), the mean over units of the best IoU,
and unique detectors by category. Untrained networks have the weights that
training starts from. Time and memory go to `results/see_inside_cost.csv`, with
`--cost` they alone, as of the paper's network at full width:

    python benchmarks/see_inside.py resnet26 --untrained --width 1 --size 72 \\
        --images 500 --cost
"""

import argparse
import pathlib
import resource
import time

import keras
import stored
from environment import environment

import keras_mdl
from keras_mdl import models
from keras_mdl.analysis import DrawnProbe
from keras_mdl.report.dissect_page import layer_rows
from keras_mdl.runs import dissecting
from keras_mdl.runs.pretrained import PRETRAINED, open_pretrained

RESULTS = stored.RESULTS / "see_inside.csv"
COST = stored.RESULTS / "see_inside_cost.csv"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", help="file, or name of a network")
    p.add_argument("--untrained", action="store_true")
    p.add_argument("--name", default="")
    p.add_argument("--domains", nargs="*")
    p.add_argument("--layers", nargs="*")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--size", type=int, default=48)
    p.add_argument("--width", type=float, default=0.25)
    p.add_argument("--images", type=int, default=1000)
    p.add_argument("--state", type=pathlib.Path, help="folder, to go on later")
    p.add_argument("--cost", action="store_true")
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = p.parse_args()
    keras.utils.set_random_seed(args.seed)
    model, probe = opened(args), DrawnProbe(args.images)
    start = time.perf_counter()
    probed = dissecting.dissect_domains(
        model, args.domains or list(model), probe, args.layers, args.state,
        shown=0,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    about = {"network": args.name or args.model, "seed": args.seed,
             "size": model.get_config()["input_shape"][0],
             "images": len(probe)}  # fmt: skip
    cost = {**about, "outputs": len(probed), "seconds": round(seconds),
            "peak_mib": round(peak)}  # fmt: skip
    print(cost)
    stored.append(COST, [{**cost, **environment()}])
    if not args.cost:
        rows = layer_rows(probed, probe.categories)
        stored.append(
            args.out, [{**about, **row, **environment()} for row in rows]
        )


def opened(args):
    """The `MultiDomainModel` of the command line."""
    shape = (args.size, args.size, 3)
    if args.model == "resnet26":
        return keras_mdl.build_resnet26({"none": 100}, shape, args.width)
    if args.untrained:
        build = getattr(models, f"build_{args.model}")
        return build({"none": 100}, shape, weights=None)
    if args.model in PRETRAINED:
        return open_pretrained(args.model, args.size)
    return keras_mdl.load_model(args.model)


if __name__ == "__main__":
    main()
