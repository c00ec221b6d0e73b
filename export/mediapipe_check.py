"""Opens exported files in MediaPipe, as an app would, and counts the labels.

    python -m venv mediapipe-env
    mediapipe-env/bin/pip install mediapipe
    mediapipe-env/bin/python export/mediapipe_check.py EXPORT_DIR IMAGES.npz

An environment of its own, for two reasons: the check needs nothing of ours, so
that it sees what an app sees, and MediaPipe (1.2.2) brings OpenCV and an audio
library, which keras_mdl should not have by accident. Nothing clashes today;
`pip install mediapipe` beside keras_mdl would replace no package.

IMAGES.npz holds, for each domain of `EXPORT_DIR/manifest.json`:

- `<domain>`: uint8 images (n, height, width, 3);
- `<domain>_labels`: the true class of each, an int;
- `<domain>_expected`: optional, the class that LiteRT ranked first.

Images of another size than the model's are resized by MediaPipe, not as we do
it; compare with `_expected` on images that have the model's size.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
from mediapipe import Image, ImageFormat
from mediapipe.tasks.python import BaseOptions, vision

LEAST_AGREEMENT = 0.98


def main(arguments=None):
    """Checks every domain; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Classifies images with exported files in MediaPipe."
    )
    parser.add_argument("export_dir", type=pathlib.Path)
    parser.add_argument("images", type=pathlib.Path)
    options = parser.parse_args(arguments)

    text = (options.export_dir / "manifest.json").read_text(encoding="utf-8")
    failures = []
    with np.load(options.images) as arrays:
        for domain, entry in json.loads(text)["domains"].items():
            failures += check(
                options.export_dir / "models" / f"{domain}.tflite",
                domain,
                entry["classes"],
                arrays,
            )
    for failure in failures:
        print(f"FAILED {failure}", file=sys.stderr)
    return 1 if failures else 0


def check(path, domain, classes, arrays):
    """Prints the counts of one domain; returns what is wrong with it."""
    if domain not in arrays or not len(arrays[domain]):
        return [f"{domain}: no images"]
    try:
        names = top_names(path, arrays[domain])
    except (OSError, RuntimeError, ValueError) as error:  # MediaPipe's own
        return [f"{domain}: {error}"]
    true = [classes[i] for i in arrays[f"{domain}_labels"]]
    failures = []
    line = f"{domain}: {len(names)} images, {_equal(names, true)} true"
    if f"{domain}_expected" in arrays:
        expected = [classes[i] for i in arrays[f"{domain}_expected"]]
        agreeing = _equal(names, expected)
        line += f", {agreeing} as LiteRT"
        if agreeing < LEAST_AGREEMENT * len(names):
            failures.append(f"{domain}: {agreeing} of {len(names)} as LiteRT")
    print(line)
    unknown = sorted(set(names) - set(classes))
    if unknown:
        failures.append(f"{domain}: labels of no class: {unknown}")
    return failures


def top_names(path, images):
    """The name that MediaPipe ranks first for each image."""
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=str(path)), max_results=1
    )
    with vision.ImageClassifier.create_from_options(options) as classifier:
        results = [
            classifier.classify(
                Image(
                    image_format=ImageFormat.SRGB,
                    data=np.ascontiguousarray(image),
                )
            )
            for image in images
        ]
    # A file without labels gives the name `None`.
    return [
        str(r.classifications[0].categories[0].category_name) for r in results
    ]


def _equal(names, others):
    return sum(a == b for a, b in zip(names, others, strict=True))


if __name__ == "__main__":
    sys.exit(main())
