"""A router on a phone: bytes, and whether it decides as it was fitted.

    python benchmarks/router_export.py ../data/chars74k ../data/dtd \\
        ../data/flowers ../data/gtsrb ../data/omniglot ../data/pedestrians

EfficientNet-Lite0 with ImageNet weights, a slot for each domain that starts as
ImageNet's and a fresh head (bytes do not depend on what it says), exported
without ImageNet, whose network the router looks through. At most 500 training
images of each domain to fit on, 150 validation images to verify with. A row
for each mode goes to `results/router_export.csv`: bytes of the router's file by
itself, of its own part beside the trunk, of its pack for who has the trunk and
for who has the first domain's file; parts of the images sent to their domain,
in Keras and by the file, and sent alike.
"""

import argparse
import pathlib
import tempfile
import time

import stored
from environment import environment
from keras_mdl_export import export, make_pack
from router import IMAGES, _name

import keras_mdl
from keras_mdl.data import load
from keras_mdl.routing import Router
from keras_mdl.runs.exporting import evenly_spread

VERIFIED = 150
RESULTS = stored.RESULTS / "router_export.csv"


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("domains", nargs="+")
    p.add_argument("--size", type=int, default=96)
    p.add_argument("--modes", nargs="*", default=["dyn_conv"])
    args = p.parse_args()
    model = keras_mdl.build_efficientnet_lite0(
        input_shape=(args.size, args.size, 3)
    )
    training, validation = {}, {}
    for spec in args.domains:
        data, name = load(spec), _name(spec)
        model = model.with_domain(name, data.domain.classes)
        training[name], _ = evenly_spread(data, "train", args.size, IMAGES)
        validation[name], _ = evenly_spread(
            data, "validation", args.size, VERIFIED
        )
    start = time.perf_counter()
    router = Router.fit(model, training)
    seconds = time.perf_counter() - start
    for mode in args.modes:
        row = exported(model, router, validation, mode)
        row = {"size": args.size, "mode": mode, "domains": len(training),
               "layer": router.layer, "fit_seconds": round(seconds, 1), **row,
               **environment()}  # fmt: skip
        print(row, flush=True)
        stored.append(RESULTS, [row])


def exported(model, router, validation, mode):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        router.save(folder / "router.safetensors")
        saved = (folder / "router.safetensors").stat().st_size
        options = {
            "mode": mode, "validation": validation, "domains": list(validation),
            "private_bits": "full", "min_agreement": 0.0, "min_shared": 0.0,
            "say": lambda text: None,
        }  # fmt: skip
        report = export(model, folder / "e", router=router, **options)
        found = report.router
        first = folder / "e/models" / f"{next(iter(validation))}.tflite"
        prefix = (folder / "e/parts/router.prefix").read_bytes()
        whole = prefix + (folder / "e/parts/trunk.bin").read_bytes()
        return {
            "saved_bytes": saved,
            "file_bytes": found["model"],
            "own_bytes": found["prefix"],
            "pack_bytes": found["pack"],
            "pack_on_domain_bytes": len(make_pack(first.read_bytes(), whole)),
            "right_keras": found["accuracy_keras"],
            "right": found["accuracy"],
            "agreement": found["agreement"],
        }


if __name__ == "__main__":
    main()
