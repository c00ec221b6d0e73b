"""Write the predictions for the Visual Decathlon's hidden test images.

The file has the challenge's format: one {image_id, category_id} per image.
The ids come from the annotation files of the challenge's devkit, because
nothing else has them: TFDS stores the name of each image and no id. The two
are joined by name. TFDS unpacks the devkit where it downloads; look there for
decathlon-1.0/annotations.

Everything is checked before anything is written: every image of every domain
once, categories of the right domain, all ten domains unless --partial. Images
are resized and cropped as in `evaluate`.
"""

import itertools
import pathlib

from keras_mdl.cli import options
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "write results.json for the Visual Decathlon"
# Images that are decoded at a time.
_PORTION = 512


def add_arguments(parser):
    """Flags of the command."""
    options.add_model(parser)
    add_annotations(parser)
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="SPEC",
        help="decathlon:KEY, or the path of a prepared TFDS folder of "
        "visual_domain_decathlon; as NAME=SPEC where the model calls the "
        "domain something else (default: decathlon:KEY for each domain of "
        "the model that is called like one of the challenge)",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of prepared TFDS data (default: that of TFDS)",
    )
    parser.add_argument(
        "--images",
        type=pathlib.Path,
        metavar="DIR",
        help="read image files instead of TFDS: a folder with "
        "KEY/test/000001.jpg, as the challenge's archives unpack",
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation", "test"),
        default="test",
        help="images to classify; a file for `validation` can be graded with "
        "`keras-mdl score` (default: %(default)s)",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="allow fewer than ten domains; the challenge does not",
    )
    options.add_output(parser, "the file", ".json")
    options.add_size(parser)


def add_annotations(parser, required=True):
    """`--annotations DIR`."""
    parser.add_argument(
        "--annotations",
        required=required,
        type=pathlib.Path,
        metavar="DIR",
        help="folder `annotations` of the challenge's devkit "
        "(KEY_test_stripped.json, KEY_val.json, ...)",
    )


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.runs.directory import refuse_existing
    from keras_mdl.runs.records import record_path

    with bad_input():
        refuse_existing(
            args.out, record_path(args.out), overwrite=args.overwrite
        )
    quiet_import()
    from keras_mdl.cli import loading
    from keras_mdl.cli.results import finish
    from keras_mdl.score import (
        ImageFiles,
        build_results,
        missing_domains,
        read_annotations,
        write_results,
    )

    model = loading.open_model(args.model)
    size = loading.size_of(model, args)
    chosen = _chosen(args, model)
    missing = missing_domains(chosen)
    if missing and not args.partial:
        raise InputError(
            "A submission needs all ten domains (--partial: fewer). Missing: "
            f"{', '.join(missing)}. The model has {', '.join(model)}"
        )
    notes, images = {}, {}
    for key, (name, source) in chosen.items():
        with bad_input():
            notes[key] = read_annotations(args.annotations, key, args.split)
            images[key] = (
                ImageFiles(notes[key], args.images)
                if source is None
                else source
            )
        _check_size(notes[key], images[key], console)
        _check_classes(model.domains[name], notes[key], console)
    predictions = {}
    for key, (name, _) in chosen.items():
        predictions[key] = _predict(model, name, images[key], size)
        console.say(f"{key}: {len(predictions[key]):,} images")
    with bad_input():
        results = build_results(predictions, notes.values())
        write_results(
            args.out, results, notes.values(), args.partial, args.overwrite
        )
    if args.split == "test" and not missing:
        console.say("The challenge takes the file as results.json in a zip.")
    result = {
        "model": str(args.model),
        "results": str(args.out),
        "split": args.split,
        "images": {key: len(p) for key, p in predictions.items()},
        "missing": missing,
    }
    return finish(args, parser, console, "submit", result)


def _chosen(args, model):
    """`{key: (domain of the model, its TfdsImages or None)}`."""
    from keras_mdl.score import KEYS, recognised

    specs = args.data
    if specs is None:
        specs = [f"{name}=decathlon:{name}" for name in recognised(model)]
    if not specs:
        raise InputError(
            "No domain of the model is called like one of the challenge; say "
            "which is which with --data NAME=decathlon:KEY. The model has "
            f"{', '.join(model)}; the challenge has {', '.join(KEYS)}"
        )
    found = {}
    for spec in specs:
        name, key, images = _parsed(args, spec)
        if name not in model:
            raise InputError(
                f"The model has no domain {name!r}; it has "
                f"{', '.join(map(repr, model))}. Say which one belongs to "
                f"{key!r}, with --data NAME=..."
            )
        if key in found:
            raise InputError(
                f"Domain {key!r} must be given once. Received: "
                f"--data {' '.join(specs)}"
            )
        found[key] = (name, images)
    return {key: found[key] for key in KEYS if key in found}


def _parsed(args, spec):
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
            if args.images is None:
                images = TfdsImages.from_key(key, args.split, args.data_dir)
        elif args.images is not None:
            raise InputError(
                "With --images a domain is named as decathlon:KEY. "
                f"Received: --data {spec}"
            )
        else:
            images = TfdsImages.from_folder(source, args.split)
            key = images.key
    return name or key, key, images


def _check_size(notes, images, console):
    """Refuses data of another size before an hour of predictions."""
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


def _check_classes(domain, notes, console):
    """Class `k` of the model must be category `k` of the challenge."""
    names = tuple(notes.categories.values())
    if domain.num_classes != len(names):
        raise InputError(
            f"{notes.key!r} has {len(names)} categories in {notes.path}. "
            f"Received: a model whose domain {domain.name!r} has "
            f"{domain.num_classes} classes"
        )
    # TFDS gives classes no names but their numbers.
    if domain.classes in (names, tuple(map(str, range(len(names))))):
        return
    if set(domain.classes) == set(names):
        raise InputError(
            f"The classes of {domain.name!r} have another order in the model "
            "than in the challenge: every category would be wrong. Expected: "
            f"{', '.join(names[:8])}, ..."
        )
    console.warn(
        f"the class names of {domain.name!r} differ between model and "
        f"challenge ({domain.classes[0]!r}, ... and {names[0]!r}, ...); they "
        "are matched by position"
    )


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
