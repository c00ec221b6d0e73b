"""Data sets of `tensorflow_datasets`, by name or as a prepared folder."""

import warnings
from pathlib import Path

from keras_mdl.data import decathlon
from keras_mdl.data.domain_data import DomainData
from keras_mdl.data.statistics import SAMPLE, with_statistics
from keras_mdl.data.tfds_sources import RecordSource, StreamSource
from keras_mdl.domains import Domain, domain_name

MEMORY_LIMIT = 2 << 30
INFO_FILE = "dataset_info.json"
_PROBE = 64


def from_tfds(
    tfds_name: str, data_dir=None, download: bool = False, **options
) -> DomainData:
    """Reads a data set by its TFDS name.

    Args:
        tfds_name: For example `"mnist"`, `"cifar10:3.*.*"` or
            `"visual_domain_decathlon/dtd"`.
        data_dir: Folder of prepared data; by default that of TFDS.
        download: Whether data that are not there may be downloaded and
            prepared. Nothing is downloaded otherwise.
        **options: See `from_tfds_builder`.

    Returns:
        `DomainData`. A decathlon domain takes its pixel statistics and flip
        rule from the published table.

    Raises:
        FileNotFoundError: If the data are not prepared.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder(tfds_name, data_dir=data_dir)
    if download:
        builder.download_and_prepare()
    elif not Path(builder.data_dir).is_dir():
        raise FileNotFoundError(
            f"TFDS data set {tfds_name!r} is not prepared in "
            f"{builder.data_dir}. Use download=True, or give the `data_dir` "
            f"that holds it. Received: data_dir={data_dir!r}"
        )
    return from_tfds_builder(builder, **options)


def from_decathlon(name: str, **options) -> DomainData:
    """One domain of the Visual Decathlon, read with `tensorflow_datasets`.

    Args:
        name: One of `decathlon.names()`.
        **options: As of `from_tfds` (`data_dir`, `download`, ...). With
            `pool=True`, `train` is train and validation together, as in the
            published trainings.

    Returns:
        `DomainData` with splits `train`, `validation` and `test`; the
        labels of `test` are hidden.
    """
    key = decathlon.facts(name).key
    return from_tfds(f"{decathlon.TFDS_NAME}/{key}", **options)


def from_tfds_directory(path, **options) -> DomainData:
    """Reads a prepared TFDS folder, whatever wrote it.

    Args:
        path: Folder with `dataset_info.json`, or one with version folders,
            of which the newest is read.
        **options: See `from_tfds_builder`.

    Returns:
        `DomainData`.

    Raises:
        FileNotFoundError: If `path` holds no prepared data set.
    """
    import tensorflow_datasets as tfds

    folder = find_directory(path)
    if folder is None:
        raise FileNotFoundError(
            f"Expected a prepared TFDS folder (with {INFO_FILE}, in itself or "
            f"in a version folder like 1.0.0). Received: path={str(path)!r}"
        )
    return from_tfds_builder(
        tfds.builder_from_directory(str(folder)), **options
    )


def find_directory(path):
    """The folder with `dataset_info.json` at or below `path`, or `None`."""
    path = Path(path)
    if (path / INFO_FILE).is_file():
        return path
    versions = []
    for info in path.glob(f"*/{INFO_FILE}"):
        parts = info.parent.name.split(".")
        if all(p.isdigit() for p in parts):
            versions.append((tuple(map(int, parts)), info.parent))
    return max(versions)[1] if versions else None


def from_tfds_builder(
    builder,
    name: str | None = None,
    flip: bool | None = None,
    pool: bool = False,
    in_memory: bool | None = None,
    memory_limit: int = MEMORY_LIMIT,
    image_key: str | None = None,
    label_key: str | None = None,
) -> DomainData:
    """Reads a prepared TFDS builder.

    Args:
        builder: A `tfds.core.DatasetBuilder`.
        name: Name of the domain; by default that of the data set or of its
            configuration.
        flip: Whether training images may be mirrored; by default `False`,
            or the published rule for a decathlon domain.
        pool: Whether `train` is train and validation together; see
            `DomainData.pooled`.
        in_memory: `True` keeps all decoded images in memory, `False` none;
            `None` decides by `memory_limit`, with a warning if it is passed.
        memory_limit: Bytes of decoded images.
        image_key: Key of the image; by default the only image feature.
        label_key: Key of the label; by default the only class label.

    Returns:
        `DomainData`. Data not in memory have random access if they are in
        the `array_record` format, and are otherwise streamed.

    Raises:
        ValueError: If the data set is not one of image classification.
    """
    import tensorflow_datasets as tfds

    features = builder.info.features
    image_key = _only(features, image_key, tfds.features.Image, "image_key")
    label_key = _only(
        features, label_key, tfds.features.ClassLabel, "label_key"
    )
    classes = features[label_key].names
    facts = None
    if builder.name == decathlon.TFDS_NAME:
        facts = decathlon.facts(builder.builder_config.name)
    domain = Domain(name or _default_name(builder), classes)
    file_format = getattr(builder.info.file_format, "value", "")
    kind = RecordSource if file_format == "array_record" else StreamSource
    streams = {
        split: kind(builder, split, image_key, label_key, len(classes))
        for split, info in builder.info.splits.items()
        if info.num_examples
    }
    if not streams:
        raise ValueError(
            f"TFDS data set {builder.info.full_name!r} has no examples. "
            f"Received: splits={list(builder.info.splits)}"
        )
    if facts is not None:
        sizes = {split: len(stream) for split, stream in streams.items()}
        decathlon.check(facts.key, len(classes), sizes)
    if in_memory is None:
        in_memory = _fits(streams, memory_limit, builder)
    # Sources that are read from disk know their labels themselves.
    parts = {split: (stream, None) for split, stream in streams.items()}
    if in_memory:
        parts = {split: s.in_memory() for split, s in streams.items()}
    if facts is not None:
        domain = Domain(domain.name, classes, facts.mean, facts.std)
        flip = facts.flip if flip is None else flip
    else:
        sources = {split: source for split, (source, _) in parts.items()}
        if not in_memory:
            sources = {s: r.first_images(SAMPLE) for s, r in streams.items()}
        domain = with_statistics(domain, sources)
    data = DomainData(
        domain,
        parts,
        bool(flip),
        provenance=f"TFDS {builder.info.full_name}",
    )
    return data.pooled() if pool else data


def _only(features, key, kind, argument):
    """The key of the one feature of a kind."""
    found = [k for k, v in features.items() if isinstance(v, kind)]
    if key is None and len(found) == 1:
        return found[0]
    if key in found:
        return key
    raise ValueError(
        f"`{argument}` must name one {kind.__name__} feature. Known: "
        f"{found or 'none'} among {list(features)}. "
        f"Received: {argument}={key!r}"
    )


def _default_name(builder):
    config = builder.builder_config
    if config is not None and builder.name == decathlon.TFDS_NAME:
        return config.name
    name = builder.name if config is None else f"{builder.name}-{config.name}"
    return domain_name(name)


def _fits(streams, memory_limit, builder):
    """Whether all images fit, judged by the first ones of each split."""
    needed = 0
    for stream in streams.values():
        first = stream.first_images(_PROBE)
        needed += len(stream) * sum(i.nbytes for i in first) // len(first)
    if needed <= memory_limit:
        return True
    warnings.warn(
        f"{builder.info.full_name} needs about {needed / 2**30:.1f} GiB "
        f"decoded, above memory_limit={memory_limit / 2**30:.1f} GiB: its "
        "images are read from disk. Say in_memory=True or in_memory=False "
        "to choose without this warning.",
        stacklevel=4,
    )
    return False
