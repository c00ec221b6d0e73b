"""Folders: every kind of image file, and everything that may be wrong."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_mdl.data import Preprocess, from_folder

SIZE = (8, 6)  # width, height


def picture(mode="RGB", colour=(10, 200, 30)):
    return Image.new("RGB", SIZE, colour).convert(mode)


@pytest.fixture
def root(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(5):
            picture().save(tmp_path / name / f"{i}.png")
    return tmp_path


def by_name(root, name, **options):
    """The image `root/cat/name` as read."""
    for entry in (root / "cat").iterdir():
        if entry.name != name:
            entry.unlink()
    data = from_folder(root, validation_fraction=0, **options)
    return data.images("train")[0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_modes_of_png(root, mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((6, 8), 40 * 257, np.uint16))
        expected = (40, 40, 40)
    else:
        image = picture(mode)
        expected = tuple(np.asarray(image.convert("RGB"))[0, 0])
    image.save(root / "cat" / "x.png")
    result = by_name(root, "x.png")
    assert result.shape == (6, 8, 3)
    assert result.dtype == np.uint8
    np.testing.assert_allclose(result[0, 0], expected, atol=2)


def test_transparent_pixels_become_white(root):
    image = picture("RGBA")
    image.putalpha(0)
    image.save(root / "cat" / "x.png")
    assert (by_name(root, "x.png") == 255).all()


def test_transparent_palette(root):
    image = Image.new("P", SIZE, 1)
    image.putpalette([0, 0, 0, 9, 9, 9])
    image.save(root / "cat" / "x.png", transparency=1)
    assert (by_name(root, "x.png") == 255).all()


def test_cmyk_jpeg(root):
    picture("CMYK").save(root / "cat" / "x.jpg", quality=95)
    result = by_name(root, "x.jpg")
    np.testing.assert_allclose(result[3, 3], (10, 200, 30), atol=12)


def test_exif_orientation_is_applied(root):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter
    picture().save(root / "cat" / "x.jpg", exif=exif)
    assert by_name(root, "x.jpg").shape == (8, 6, 3)


def test_float_tiff(root):
    Image.fromarray(np.full((6, 8), 0.5, np.float32)).save(
        root / "cat" / "x.tif"
    )
    assert (by_name(root, "x.tif") == 128).all()


def test_split_is_by_class_and_deterministic(root):
    first = from_folder(root, "pets")
    assert first.domain.name == "pets"
    assert first.domain.classes == ("cat", "dog")
    assert first.splits == ("train", "validation")
    assert np.bincount(first.labels("validation")).tolist() == [1, 1]
    assert first.size("train") == 8


def test_other_seeds_set_other_images_aside(root):
    for i in range(5):
        picture(colour=(50 * i, 0, 0)).save(root / "cat" / f"{i}.png")
    chosen = {
        tuple(from_folder(root, seed=seed).images("validation")[0][0, 0])
        for seed in (0, 0, 1, 2, 3)
    }
    assert 1 < len(chosen) < 5


def test_split_folders(tmp_path):
    for split, classes in {
        "train": ("a", "b"),
        "val": ("a",),
        "test": (".",),
    }.items():
        for name in classes:
            (tmp_path / split / name).mkdir(parents=True, exist_ok=True)
            picture().save(tmp_path / split / name / "0.png")
    data = from_folder(tmp_path, "d")
    assert set(data.splits) == {"train", "validation", "test"}
    assert data.labels("test") is None
    assert data.labels("validation").tolist() == [0]


def test_class_folder_unknown_to_train(tmp_path):
    for path in ("train/a", "train/b", "validation/c"):
        (tmp_path / path).mkdir(parents=True)
        picture().save(tmp_path / path / "0.png")
    with pytest.raises(ValueError, match=r"\['c'\]"):
        from_folder(tmp_path)


def break_files(root):
    (root / "cat" / "empty.png").touch()
    (root / "cat" / "text.jpg").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = root / "dog" / "cut.png"
    Image.fromarray(noise).save(whole)
    whole.write_bytes(whole.read_bytes()[:2000])
    return {"empty.png", "text.jpg", "cut.png"}


def test_bad_files_are_all_named_in_one_error(root):
    names = break_files(root)
    with pytest.raises(ValueError, match="3 of 13") as error:
        from_folder(root)
    assert all(name in str(error.value) for name in names)


def test_bad_files_can_be_skipped(root):
    names = break_files(root)
    data = from_folder(root, on_bad_image="skip")
    assert {
        p.replace("\\", "/").rsplit("/", 1)[1] for p in data.skipped
    } == names
    assert data.size("train") + data.size("validation") == 10


def test_class_of_bad_files_only(root):
    for file in (root / "cat").iterdir():
        file.write_text("no image")
    with pytest.raises(ValueError, match="cat"):
        from_folder(root, on_bad_image="skip")


def test_empty_class_folder(root):
    (root / "eel").mkdir()
    with pytest.raises(ValueError, match="eel"):
        from_folder(root)


def test_no_classes(tmp_path):
    picture().save(tmp_path / "lonely.png")
    with pytest.raises(ValueError, match=r"one folder per class.*lonely"):
        from_folder(tmp_path)


def test_no_images(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"No images.*2 \.txt"):
        from_folder(tmp_path)


def test_hidden_and_foreign_files_are_left_out(root):
    (root / ".cache").mkdir()
    (root / "cat" / ".hidden.png").touch()
    (root / "cat" / "Thumbs.db").touch()
    data = from_folder(root)
    assert data.domain.num_classes == 2
    assert data.size("train") + data.size("validation") == 10


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        from_folder(tmp_path / "nowhere")


def test_folders_above_the_limit_are_decoded_as_needed(root):
    kept = from_folder(root)
    lazy = from_folder(root, memory_limit=200)
    assert "decoded from files" in repr(lazy)
    assert lazy.domain == kept.domain
    assert lazy.pooled().size("train") == 10
    options = {"preprocess": Preprocess.default(4), "training": True}
    for a, b in zip(
        lazy.batches("train", 2, **options),
        kept.tf_dataset("train", 2, **options),
        strict=True,
    ):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["train", "test", "meta"], "no class folders"),
        (["train", "val", "valid"], "Two folders for the split 'validation'"),
        (["train", "Training"], "Two folders for the split 'train'"),
    ],
    ids=["other", "twice", "train_twice"],
)
def test_folders_of_splits_are_not_taken_for_classes(
    tmp_path, folders, message
):
    for folder in folders:
        for name in ("cat", "dog"):
            (tmp_path / folder / name).mkdir(parents=True)
            picture().save(tmp_path / folder / name / "0.png")
    with pytest.raises(ValueError, match=message):
        from_folder(tmp_path)


def tree(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture().save(root / path)
    return root


@pytest.mark.parametrize(
    "splits",
    [
        ("training_set", "test_set"),
        ("test", "validation"),
        ("asl_train", "asl_test"),
        ("trainData", "testData"),
        ("fold1", "fold2", "fold3"),
        ("seg_train", "seg_test", "seg_pred"),
        ("TEST-IMAGES", "dev"),
    ],
)
def test_splits_by_other_names_are_not_trained_as_classes(tmp_path, splits):
    for split in splits:
        tree(tmp_path, f"{split}/cat/0.png", f"{split}/dog/0.png")
    with pytest.raises(ValueError, match=r"Name them 'train' and.*cat, dog"):
        from_folder(tmp_path)


def test_splits_without_class_folders_are_not_trained_as_classes(tmp_path):
    tree(tmp_path, "train2017/0.png", "val2017/0.png")
    with pytest.raises(ValueError, match="Name them 'train'"):
        from_folder(tmp_path)


@pytest.mark.parametrize(
    "classes",
    [
        ("test", "blood", "urine"),
        ("train", "bus", "car"),
        ("training_shoe", "boot"),
        ("protest", "parade"),
        ("evaluated", "new"),
    ],
)
def test_classes_may_have_the_name_of_a_split(tmp_path, classes):
    tree(tmp_path, *(f"{name}/{i}.png" for name in classes for i in (0, 1)))
    # Sub-folders of a class are no classes either.
    tree(tmp_path, f"{classes[1]}/old/2.png")
    assert from_folder(tmp_path).domain.classes == tuple(sorted(classes))


@pytest.mark.parametrize(
    "name", [b"caf\xe9", b"new\nline", b"bell\x07", "line\u2028".encode()]
)
def test_class_folders_whose_names_are_no_text(root, name):
    os.rename(os.fsencode(root / "cat"), os.path.join(os.fsencode(root), name))
    with pytest.raises(ValueError, match="one line of text") as error:
        from_folder(root)
    assert repr(os.fsdecode(name)) in str(error.value)


@pytest.mark.parametrize("target", [".", "..", "../deep", "../../cat"])
def test_links_to_what_is_above_are_not_followed_again(root, target):
    tree(root, "cat/deep/5.png")
    (root / "cat" / "deep" / "link").symlink_to(target)
    data = from_folder(root, validation_fraction=0)
    assert np.bincount(data.labels("train")).tolist() == [6, 5]


def test_a_file_linked_twice_in_its_class_counts_once(root):
    (root / "cat" / "again.png").symlink_to("0.png")
    (root / "cat" / "all").symlink_to(".")
    assert from_folder(root, validation_fraction=0).size("train") == 10


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/dog.png", "../dog/0.png"),
        ("cat/dogs", "../dog"),
        ("kitten", "cat"),
    ],
)
def test_a_file_of_two_classes_is_refused(root, link, target):
    (root / link).symlink_to(target)
    with pytest.raises(ValueError, match="one file in two places"):
        from_folder(root)


def test_a_file_of_two_splits_is_refused(tmp_path):
    tree(tmp_path, "train/a/0.png", "train/b/0.png", "val/a/1.png")
    (tmp_path / "val" / "b").symlink_to("../train/b")
    with pytest.raises(ValueError, match="one file in two places"):
        from_folder(tmp_path)


def test_linked_classes_and_files_are_read(root, tmp_path_factory):
    store = tree(tmp_path_factory.mktemp("store"), "eel/0.png", "1.png")
    (root / "eel").symlink_to(store / "eel")
    (root / "cat" / "x.png").symlink_to(store / "1.png")
    data = from_folder(root, validation_fraction=0)
    assert np.bincount(data.labels("train")).tolist() == [6, 5, 1]


def unreadable(root):
    """Files that cannot even be looked at."""
    (root / "cat" / "lost.png").symlink_to("nowhere.png")
    (root / "cat" / "round.jpg").symlink_to("round.jpg")
    (root / "dog" / "far.gif").symlink_to("/no/such/place.gif")
    os.mkfifo(root / "dog" / "pipe.png")
    return {"lost.png", "round.jpg", "far.gif", "pipe.png"}


def test_links_that_lead_nowhere_are_bad_images(root):
    names = unreadable(root)
    with pytest.raises(ValueError, match="4 of 14") as error:
        from_folder(root)
    assert all(name in str(error.value) for name in names)
    data = from_folder(root, on_bad_image="skip")
    assert {path.rsplit("/", 1)[1] for path in data.skipped} == names
    assert data.size("train") + data.size("validation") == 10


def test_lost_links_in_a_flat_test_folder_are_bad_images(tmp_path):
    tree(tmp_path, "train/a/0.png", "train/b/0.png", "test/0.png")
    (tmp_path / "test" / "1.png").symlink_to("nowhere.png")
    with pytest.raises(ValueError, match="1 of 4"):
        from_folder(tmp_path)
    assert from_folder(tmp_path, on_bad_image="skip").size("test") == 1


def test_a_class_that_is_a_link_to_nothing_is_said(root):
    (root / "eel").symlink_to("/no/such/folder")
    with pytest.raises(ValueError, match=r"lead nowhere.*eel"):
        from_folder(root)


@pytest.mark.parametrize("extension", ["avif", "jp2", "tga", "apng", "qoi"])
def test_whatever_pillow_opens_is_read(root, extension):
    picture().save(root / "cat" / f"x.{extension}")
    found = by_name(root, f"x.{extension}")
    np.testing.assert_allclose(found[0, 0], (10, 200, 30), atol=6)


def test_what_plugins_register_is_read(root, monkeypatch):
    picture().save(root / "cat" / "x.png")
    (root / "cat" / "x.png").rename(root / "cat" / "x.heic")
    with pytest.warns(UserWarning, match=r"1 \.heic"):
        assert from_folder(root).ignored == {".heic": 1}
    Image.init()
    monkeypatch.setitem(Image.EXTENSION, ".heic", "PNG")
    assert by_name(root, "x.heic").shape == (6, 8, 3)


def test_ignored_files_are_counted_by_extension(root):
    for name in ("a.txt", "b.TXT", "c.h5", "d.mpg", "e.pdf", "LICENSE"):
        (root / "cat" / name).write_text("x")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (root / "dog" / name).write_text("x")
    expected = "2 .txt, 1 .h5, 1 .mpg, 1 .pdf, 1 LICENSE"
    with pytest.warns(UserWarning, match=expected):
        data = from_folder(root)
    assert data.ignored[".txt"] == 2
    assert sum(data.ignored.values()) == 6


@pytest.mark.parametrize(
    "paths",
    [
        ("signs/train/stop", "signs/val/stop", "birds/train/robin"),
        ("cat/train/1", "cat/test/1", "dog/train/1", "dog/test/1"),
    ],
)
def test_domains_and_splits_are_not_trained_as_classes(tmp_path, paths):
    tree(tmp_path, *(f"{path}/0.png" for path in paths))
    with pytest.raises(ValueError, match="holds splits: it is not a class"):
        from_folder(tmp_path)


def test_classes_made_of_sub_folders_are_said(root):
    tree(root, "signs/stop/0.png", "signs/go/0.png", "cat/deep/9.png")
    with pytest.warns(UserWarning, match=r"1 of 3 classes.*signs = go, stop"):
        from_folder(root)
