"""Images per second of the loader, beside Keras' own and Grain; its memory.

    python benchmarks/loader.py            # needs `pip install grain`
    python benchmarks/loader.py --memory 100000

Reads JPEG class folders (cuts of photographs that scikit-image carries) and
augments them by a shifted crop, brightness and contrast with

- `tf_dataset` and `batches`: this package, as a `tf.data.Dataset` and as the
  `PyDataset` that other backends read;
- `keras`: `keras.utils.image_dataset_from_directory` and the like Keras
  layers, mapped in parallel and prefetched;
- `grain`: Grain with this package's transform, image by image, in threads;

in one process per number of cores and size, in turn (A B C, A B C, ...).
Ratios are taken round by round against `tf_dataset`; medians and their range
go to `results/loader.csv`. With `--memory N`, so do the resident megabytes
after a tenth and after all of N files (hard links to a few), read once by
`from_folder` and once as batches.
"""

import argparse
import csv
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

RESULTS = pathlib.Path(__file__).parent / "results" / "loader.csv"
BATCH = 64
COLUMNS = (
    *("loader", "cores_used", "size", "images", "rounds", "images_per_s"),
    *("ratio", "ratio_min", "ratio_max", "mb_at_a_tenth", "mb_at_the_end"),
)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--images", type=int, default=512)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--sizes", type=int, nargs="+", default=[96, 224])
    p.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    p.add_argument("--memory", type=int, metavar="FILES")
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    p.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = p.parse_args()
    if args.child:
        folder, size, cores = args.child
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
        if args.memory:
            return store(args.out, [memory(folder)])
        return store(args.out, throughput(folder, int(size), args.rounds))
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with tempfile.TemporaryDirectory() as folder:
        if args.memory:
            photographs(folder, 50, (64, 80), args.memory)
            child(folder, 32, len(os.sched_getaffinity(0)))
            return
        photographs(folder, args.images, (240, 320), args.images)
        for cores in args.cores:
            for size in args.sizes:
                child(folder, size, cores)


def child(*arguments):
    """Runs this command in a process of its own, held to some cores."""
    command = [sys.executable, *sys.argv, "--child", *map(str, arguments)]
    subprocess.run(command, check=True)


def photographs(folder, count, sides, files):
    """Two class folders with `count` JPEGs, linked up to `files`."""
    import numpy as np
    from PIL import Image
    from skimage import data

    photos = [data.astronaut(), data.coffee(), data.chelsea()]
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        pathlib.Path(folder, name).mkdir()
        for i in range(files // 2):
            path = pathlib.Path(folder, name, f"{i:06d}.jpg")
            if i >= count // 2:
                os.link(path.with_stem(f"{i % (count // 2):06d}"), path)
                continue
            photo = Image.fromarray(photos[i % 3])
            high, wide = rng.integers(*sides, 2)
            high, wide = min(high, photo.height), min(wide, photo.width)
            left = rng.integers(photo.width - wide + 1)
            top = rng.integers(photo.height - high + 1)
            box = (left, top, left + wide, top + high)
            photo.crop(box).save(path, quality=90)


def throughput(folder, size, rounds):
    """A row for each loader."""
    loaders = {**our_loaders(folder, size), "keras": keras_loader(folder, size)}
    try:
        loaders["grain"] = grain_loader(folder, size)
    except ImportError:
        print("grain is not installed: left out")
    speeds = {name: [] for name in loaders}
    for round_ in range(rounds + 1):
        for name, loader in loaders.items():
            start = time.perf_counter()
            images = sum(len(batch[1]) for batch in loader)
            if round_:  # the first one warms up
                speeds[name].append(images / (time.perf_counter() - start))
    for name, found in speeds.items():
        ratios = [
            s / ours
            for s, ours in zip(found, speeds["tf_dataset"], strict=True)
        ]
        yield {
            "loader": name,
            "cores_used": len(os.sched_getaffinity(0)),
            "size": size,
            "images": images,
            "rounds": rounds,
            "images_per_s": round(statistics.median(found), 1),
            "ratio": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
        }


def our_data(folder):
    from keras_mdl.data import from_folder

    return from_folder(folder, validation_fraction=0, memory_limit=1)


def our_loaders(folder, size):
    from keras_mdl.data import Preprocess

    data = our_data(folder)
    options = {"preprocess": Preprocess.default(size), "training": True}
    return {
        kind: getattr(data, kind)("train", BATCH, **options)
        for kind in ("tf_dataset", "batches")
    }


def keras_loader(folder, size):
    import keras
    import tensorflow as tf

    augment = keras.Sequential(
        [
            keras.layers.RandomTranslation(1 / 8, 1 / 8),
            keras.layers.RandomBrightness(0.1, (0, 255)),
            keras.layers.RandomContrast(0.2, (0, 255)),
        ]
    )
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        image_size=(size, size),
        batch_size=BATCH,
        crop_to_aspect_ratio=True,
        seed=0,
        verbose=False,
    )
    return dataset.map(
        lambda x, y: (augment(x, training=True), y), tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)


def grain_loader(folder, size):
    import grain

    from keras_mdl.data import Preprocess
    from keras_mdl.data.render import Renderer

    data = our_data(folder)
    images, labels = data.images("train"), data.labels("train")
    plan = Preprocess.default(size)
    renderer = Renderer(
        images, labels, plan, data.flip, data.domain, True, 0, "float32"
    )

    def example(index):
        one = slice(index, index + 1)
        image, label = renderer.batch([images[index]], labels[one], 0, index)
        return image[0], label[0]

    return (
        grain.MapDataset.range(len(images))
        .shuffle(seed=0)
        .map(example)
        .batch(BATCH, drop_remainder=True)
        .to_iter_dataset(grain.ReadOptions(num_threads=16))
    )


def memory(folder):
    """Resident megabytes after a tenth and after all files."""
    from keras_mdl.data import Preprocess

    data = our_data(folder)
    loader = data.batches("train", BATCH, Preprocess.default(32), training=True)
    for index, _ in enumerate(loader):
        if index == len(loader) // 10:
            early = peak_mb()
    return {
        "loader": "batches",
        "cores_used": len(os.sched_getaffinity(0)),
        "size": 32,
        "images": data.size("train"),
        "mb_at_a_tenth": early,
        "mb_at_the_end": peak_mb(),
    }


def peak_mb():
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def store(path, rows):
    from environment import environment

    rows = [{**row, **environment()} for row in rows]
    new = not path.exists()
    with open(path, "a", newline="") as f:
        writer = csv.DictWriter(f, [*COLUMNS, *environment()])
        if new:
            writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        print({k: row[k] for k in COLUMNS if k in row}, flush=True)


if __name__ == "__main__":
    main()
