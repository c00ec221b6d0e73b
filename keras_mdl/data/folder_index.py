"""Which files of a folder are images, of which class and split."""

EXTENSIONS = (
    ".bmp",
    ".gif",
    ".jfif",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_NAMED = 20


def folder_index(root):
    """Finds the image files of a folder without opening them.

    Args:
        root: `pathlib.Path` of the folder; see `read_folder` for its layout.

    Returns:
        `({split: [(path, label)]}, class_names)`; labels of an unlabelled
        test split are `None`.

    Raises:
        ValueError: For fewer than two classes, classes without images, or
            classes that `train` does not know; for folders that are neither
            a split nor a class, or two of the same split.
    """
    folders = _folders(root)
    names = {f.name.lower() for f in folders}
    if names & {"train", "training"}:
        split_folders = _split_folders(root, folders)
    else:
        split_folders = {"train": root}
    classes = [f.name for f in _folders(split_folders["train"])]
    if len(classes) < 2:
        raise ValueError(
            f"{str(split_folders['train'])!r} must hold one folder per class, "
            f"at least two. Received: folders {classes}, other files "
            f"{_listed(p.name for p in _files(split_folders['train']))}"
        )
    label_of = {name: label for label, name in enumerate(classes)}
    result, ignored = {}, []
    for split, folder in split_folders.items():
        class_folders = _folders(folder)
        unknown = [f.name for f in class_folders if f.name not in label_of]
        if unknown:
            raise ValueError(
                f"Class folders of {split!r} must also be in 'train'. "
                f"Received: {unknown}; known classes: {_listed(classes)}"
            )
        pairs = [
            (p, label_of[f.name]) for f in class_folders for p in _files(f)
        ]
        if not class_folders and split == "test":
            pairs = [(p, None) for p in _files(folder)]
        ignored += [p for p, _ in pairs if not _is_image(p)]
        result[split] = [(p, label) for p, label in pairs if _is_image(p)]
    if not any(result.values()):
        raise ValueError(
            f"No images in {str(root)!r}. Expected files ending in "
            f"{', '.join(EXTENSIONS)}. Received: "
            f"{_listed(p.name for p in ignored) or 'no files'}"
        )
    require_images(result, classes, root)
    return result, classes


def _split_folders(root, folders):
    found = {}
    for folder in folders:
        split = _SPLIT_NAMES.get(folder.name.lower())
        if split is None:
            raise ValueError(
                f"Beside a folder for training there may be "
                f"{', '.join(_SPLIT_NAMES)}, and no class folders. Received "
                f"in {str(root)!r}: {_listed(f.name for f in folders)}"
            )
        if split in found:
            raise ValueError(
                f"Two folders for the split {split!r} in {str(root)!r}: "
                f"{found[split].name} and {folder.name}"
            )
        found[split] = folder
    return found


def require_images(splits, classes, root):
    """Raises `ValueError` for an empty split or a class without images."""
    for split, pairs in splits.items():
        present = {label for _, label in pairs}
        missing = [c for i, c in enumerate(classes) if i not in present]
        if not pairs or (split == "train" and missing):
            raise ValueError(
                f"Every class needs a readable image in {split!r} of "
                f"{str(root)!r}. Received: no images for {_listed(missing)}"
            )


def _folders(path):
    return sorted(p for p in path.iterdir() if p.is_dir() and not _is_hidden(p))


def _files(path):
    """All files under `path`, sorted; hidden ones left out."""
    found = []
    for item in sorted(path.iterdir()):
        if _is_hidden(item):
            continue
        if item.is_dir():
            found += _files(item)
        else:
            found.append(item)
    return found


def _is_hidden(path):
    return path.name.startswith((".", "__MACOSX"))


def _is_image(path):
    return path.suffix.lower() in EXTENSIONS


def _listed(items):
    items = [str(i) for i in items]
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
