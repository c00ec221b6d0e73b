"""Which files of a folder are images, of which class and split."""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from keras_mdl.data.pixels import extensions

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
# Words that make "training_set", "seg_test" or "fold-3" the name of a split.
_SPLIT_WORDS = {*SPLIT_NAMES, "dev", "eval", "evaluation", "fold", "holdout"}
_LITTER = (".", "__macosx", "thumbs.db", "desktop.ini")
_NAMED = 20


@dataclass
class FolderIndex:
    """What a folder holds.

    Attributes:
        classes: Names, sorted.
        files: `{split: [(path, label)]}`; the labels of a test split without
            class folders are `None`.
        ignored: `{extension: count}` of the files that are no images.
        nested: `{class: names of sub-folders}` of classes whose images are
            all in sub-folders, in several of them.
    """

    classes: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    ignored: Counter = field(default_factory=Counter)
    nested: dict = field(default_factory=dict)


def folder_index(root: Path) -> FolderIndex:
    """Finds the image files of a folder without opening them.

    Args:
        root: The folder; see `from_folder` for its layout.

    Raises:
        ValueError: For fewer than two classes, classes without images, or
            classes that `train` does not know; for folders that are neither
            a split nor a class, or two of the same split; for one file that
            belongs to two classes or splits.
    """
    split_folders = _split_folders(root)
    train = split_folders["train"]
    index = FolderIndex([f.name for f in _folders(train)])
    if len(index.classes) < 2:
        raise ValueError(
            f"{str(train)!r} must hold one folder per class, at least two. "
            f"Received: folders {index.classes}, other files "
            f"{_listed(p.name for p in _entries(train) if not p.is_dir()) or 0}"
        )
    images = extensions()
    places = {}
    for split, folder in split_folders.items():
        class_folders = _folders(folder)
        names = [f.name for f in class_folders]
        unknown = [n for n in names if n not in index.classes]
        if unknown:
            raise ValueError(
                f"Class folders of {split!r} must also be in 'train'. "
                f"Received: {unknown}; known classes: {_listed(index.classes)}"
            )
        labelled = [(f, index.classes.index(f.name)) for f in class_folders]
        if not class_folders and split == "test":
            labelled = [(folder, None)]
        index.files[split] = []
        for class_folder, label in labelled:
            inner = set()
            for path, real in _files(class_folder, {os.path.realpath(root)}):
                if path.suffix.lower() not in images:
                    index.ignored[path.suffix.lower() or path.name] += 1
                    continue
                index.files[split].append((path, label))
                inner.add(path.relative_to(class_folder).parts[:-1][:1])
                place = places.setdefault(real, (path, split, label))
                if place[1:] != (split, label):
                    raise ValueError(
                        "An image must belong to one class of one split. "
                        f"Received one file in two places: {str(place[0])!r} "
                        f"and {str(path)!r}"
                    )
            if split == "train" and len(inner) > 1 and () not in inner:
                index.nested[class_folder.name] = [n for (n,) in sorted(inner)]
    if not any(index.files.values()):
        raise ValueError(
            f"No images in {str(root)!r}. Expected files that Pillow opens "
            "(.jpg, .png, .webp, ...). Received: "
            f"{counted(index.ignored) or 'no files'}"
        )
    require_images(index.files, index.classes, root)
    return index


def image_files(folder: Path) -> list:
    """Paths of the image files in a folder, at any depth, sorted.

    What `from_folder` leaves out is left out here too.
    """
    images = extensions()
    return [p for p, _ in _files(folder, set()) if p.suffix.lower() in images]


def counted(ignored) -> str:
    """`{extension: count}` as text, the most frequent first."""
    most = sorted(ignored.items(), key=lambda item: (-item[1], item[0]))
    return _listed(f"{count} {extension}" for extension, count in most)


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


def _split_folders(root):
    """`{split: folder}`; `root` alone if its folders are classes."""
    folders = _folders(root)
    splits = {f: SPLIT_NAMES.get(f.name.lower()) for f in folders}
    train = [f for f, split in splits.items() if split == "train"]
    # One folder called "train", with images, beside classes: photos of trains.
    others = len(folders) - len([s for s in splits.values() if s])
    alone = len(train) == 1 and others == len(folders) - 1 and others
    if not train or (alone and not _folders(train[0])):
        _refuse_splits_as_classes(root, folders)
        return {"train": root}
    found = {}
    for folder, split in splits.items():
        if split is None:
            raise ValueError(
                f"Beside a folder for training there may be "
                f"{', '.join(SPLIT_NAMES)}, and no class folders. Received "
                f"in {str(root)!r}: {_listed(f.name for f in folders)}"
            )
        if split in found:
            raise ValueError(
                f"Two folders for the split {split!r} in {str(root)!r}: "
                f"{found[split].name} and {folder.name}"
            )
        found[split] = folder
    return found


def _refuse_splits_as_classes(root, folders):
    """Refuses "training_set/cat, test_set/cat": not two classes of images.

    Nor are "signs/train/stop, birds/train/robin".
    """
    for folder in folders:
        inside = _folders(folder)
        inner = {SPLIT_NAMES.get(f.name.lower()) for f in inside}
        # "train" alone may be a folder of trains; not with folders in it.
        deep = inner == {"train"} and any(_folders(f) for f in inside)
        if deep or len(inner - {None}) > 1:
            raise ValueError(
                f"{str(folder)!r} holds splits: it is not a class. If the "
                f"folders {_listed(f.name for f in folders)} are domains, "
                "give one of them, not the folder above them; if they are "
                "classes, make folders 'train' and 'validation', each with "
                "one folder per class"
            )
    named = [f for f in folders if _says_split(f.name)]
    within = [{f.name for f in _folders(folder)} for folder in named]
    shared = {
        name for i, a in enumerate(within) for b in within[:i] for name in a & b
    }
    if shared or (len(named) > 1 and len(named) == len(folders)):
        raise ValueError(
            f"The folders {_listed(f.name for f in named)} of {str(root)!r} "
            "look like splits of one data set, not like classes. Name them "
            "'train' and, if there are, 'validation' and 'test', each with "
            "one folder per class. Received in several of them: "
            f"{_listed(sorted(shared)) or 'no class folders'}"
        )


def _says_split(name):
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = set(re.split(r"[^a-z]+", spaced.lower()))
    joined = {w.removesuffix(end) for w in words for end in ("set", "data")}
    return bool((words | joined) & _SPLIT_WORDS)


def _folders(path):
    entries = _entries(path)
    lost = [
        p.name
        for p in entries
        if p.is_symlink()
        and not p.exists()
        and p.suffix.lower() not in extensions()
    ]
    if lost:
        raise ValueError(
            f"Links in {str(path)!r} lead nowhere, so a class or split would "
            f"be missing. Received: {_listed(lost)}"
        )
    return [p for p in entries if p.is_dir()]


def _files(folder, seen):
    """Yields `(path, real path)` at any depth; each real path once."""
    real_folder = os.path.realpath(folder)
    if real_folder in seen:
        return
    seen.add(real_folder)
    for path in _entries(folder):
        if path.is_dir():
            yield from _files(path, seen)
            continue
        real = os.path.join(real_folder, path.name)
        if path.is_symlink():
            real = os.path.realpath(path)
        if real not in seen:
            seen.add(real)
            yield path, real


def _entries(path):
    """What a folder holds, sorted, without hidden files and litter."""
    return sorted(
        p for p in path.iterdir() if not p.name.lower().startswith(_LITTER)
    )


def _listed(items):
    items = [str(i) for i in items]
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more
