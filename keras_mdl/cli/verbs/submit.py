"""`keras-mdl submit`."""

import itertools
import pathlib

from keras_mdl.cli import flags, outputs
from keras_mdl.cli.backend import quiet_import
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved

# Images that are decoded at a time.
_PORTION = 512


@outputs.writes_file
def submit(
    model: flags.Model,
    *,
    annotations: flags.Annotations,
    out: flags.ResultsOut,
    data: list[str] | None = None,
    data_dir: str | None = None,
    images: pathlib.Path | None = None,
    split: flags.Split = "test",
    partial: flags.Switch = False,
    size: flags.Size | None = None,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Write the predictions for the Visual Decathlon's hidden test images.

    The file has the challenge's format: one {image_id, category_id} per
    image. The ids come from the annotation files of the challenge's devkit,
    because nothing else has them: TFDS stores the name of each image and no
    id. The two are joined by name. TFDS unpacks the devkit where it
    downloads; look there for decathlon-1.0/annotations.

    Everything is checked before anything is written: every image of every
    domain once, categories of the right domain, all ten domains unless
    --partial. Images are resized and cropped as in `evaluate`.

    Args:
        data: decathlon:KEY, or the path of a prepared TFDS folder of
            visual_domain_decathlon; as NAME=SPEC where the model calls the
            domain something else (default: decathlon:KEY for each domain of
            the model that is called like one of the challenge)
        data_dir: folder of prepared TFDS data (default: that of TFDS)
        images: read image files instead of TFDS: a folder with
            KEY/test/000001.jpg, as the challenge's archives unpack
        split: images to classify; a file for `validation` can be graded with
            `keras-mdl score`
        partial: allow fewer than ten domains; the challenge does not
    """
    quiet_import("keras_mdl.score")
    from keras_mdl.score import (
        ImageFiles,
        build_results,
        missing_domains,
        read_annotations,
        write_results,
    )

    saved = open_saved(model)
    size = saved.size(size)
    chosen = _chosen(saved, data, split, data_dir, images)
    missing = missing_domains(chosen)
    if missing and not partial:
        raise InputError(
            "A submission needs all ten domains (--partial: fewer). Missing: "
            f"{', '.join(missing)}. The model has {', '.join(saved.domains)}"
        )
    notes, pictures, categories = {}, {}, {}
    for key, (name, source) in chosen.items():
        with bad_input():
            notes[key] = read_annotations(annotations, key, split)
            pictures[key] = source or ImageFiles(notes[key], images)
        _check_number(notes[key], pictures[key], console)
        categories[key] = _categories(saved.domains[name], notes[key])
    if images is not None:
        console.say("reading the images ...")
        with bad_input():  # now, and not after an hour of predictions
            for source in pictures.values():
                for _ in source:
                    pass
    loaded = saved.load()
    predictions = {}
    for key, (name, _) in chosen.items():
        found = _predict(loaded, name, pictures[key], size)
        predictions[key] = {n: categories[key][k] for n, k in found.items()}
        console.say(f"{key}: {len(found):,} images")
    with bad_input():
        results = build_results(predictions, notes.values())
    outputs.keep(
        out,
        overwrite,
        lambda path: write_results(
            path, results, notes.values(), partial, overwrite
        ),
    )
    if split == "test" and not missing:
        console.say("The challenge takes the file as results.json in a zip.")
    return {
        "model": str(model),
        "results": str(out),
        "split": split,
        "images": {key: len(p) for key, p in predictions.items()},
        "missing": missing,
    }


def _chosen(saved, specs, split, data_dir, files):
    """`{key: (domain of the model, its TfdsImages or None)}`."""
    from keras_mdl.score import KEYS, recognised

    if specs is None:
        specs = [f"{n}=decathlon:{n}" for n in recognised(saved.domains)]
    if not specs:
        raise InputError(
            "No domain of the model is called like one of the challenge; say "
            "which is which with --data NAME=decathlon:KEY. The model has "
            f"{', '.join(saved.domains)}; the challenge has {', '.join(KEYS)}"
        )
    found = {}
    for spec in specs:
        name, key, source = _parsed(spec, split, data_dir, files)
        if name not in saved.domains:
            raise InputError(
                f"The model has no domain {name!r}; it has "
                f"{', '.join(map(repr, saved.domains))}. Say which one "
                f"belongs to {key!r}, with --data NAME=..."
            )
        if key in found:
            raise InputError(
                f"Domain {key!r} must be given once. Received: "
                f"--data {' '.join(specs)}"
            )
        found[key] = (name, source)
    return {key: found[key] for key in KEYS if key in found}


def _parsed(spec, split, data_dir, files):
    """Name in the model, key of the challenge, and `TfdsImages` or `None`."""
    from keras_mdl.score import TfdsImages, key_of

    name, equals, source = spec.partition("=")
    if not equals or pathlib.Path(spec).exists():
        name, source = None, spec
    kind, _, rest = source.partition(":")
    images = None
    with bad_input():
        if kind == "decathlon":
            key = key_of(rest)
            if files is None:
                images = TfdsImages.from_key(key, split, data_dir)
        elif files is not None:
            raise InputError(
                "With --images a domain is named as decathlon:KEY. "
                f"Received: --data {spec}"
            )
        else:
            images = TfdsImages.from_folder(source, split)
            key = images.key
    return name or key, key, images


def _check_number(notes, images, console):
    """Refuses data of another number before an hour of predictions."""
    from keras_mdl.data import decathlon

    if len(images) != len(notes.images):
        raise InputError(
            f"Domain {notes.key!r} has {len(notes.images)} images in "
            f"{notes.path}. Received: {len(images)} images"
        )
    sizes = decathlon.facts(notes.key).sizes
    published = sizes[("train", "validation", "test").index(notes.split)]
    if len(images) != published:
        console.warn(
            f"the challenge's split {notes.split!r} of {notes.key!r} has "
            f"{published:,} images, {notes.path} has {len(images):,}"
        )


def _categories(domain, notes):
    """For each class of the model, the number of its category, by name."""
    names = tuple(notes.categories.values())
    if domain.num_classes != len(names):
        raise InputError(
            f"{notes.key!r} has {len(names)} categories in {notes.path}. "
            f"Received: a model whose domain {domain.name!r} has "
            f"{domain.num_classes} classes"
        )
    # TFDS gives classes no names but their numbers.
    if domain.classes == tuple(map(str, range(len(names)))):
        return range(len(names))
    unknown = [c for c in domain.classes if c not in names]
    if unknown:
        raise InputError(
            f"The domain {domain.name!r} has classes that {notes.key!r} does "
            f"not have: {', '.join(map(repr, unknown[:8]))}. Known classes: "
            f"{', '.join(map(repr, names[:8]))}"
            f"{', ...' if len(names) > 8 else ''}"
        )
    return [names.index(c) for c in domain.classes]


def _predict(model, name, images, size):
    """`{image name: class}`."""
    from keras_mdl.runs.fitting import probabilities

    view, domain = model[name], model.domains[name]
    found, stream = {}, iter(images)
    while True:
        with bad_input():
            portion = list(itertools.islice(stream, _PORTION))
        if not portion:
            return found
        names, pixels = zip(*portion, strict=True)
        rows = probabilities(view, domain, list(pixels), size)
        found.update(zip(names, rows.argmax(axis=-1), strict=True))
