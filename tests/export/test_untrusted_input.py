"""Damaged and hostile exports end in `ValueError` or in the right answer.

Hundreds of seeded mutations of every kind of file. A refusal is a
`ValueError` (or a file that is not found), an answer is that of the intact
export, and nothing appears outside the export's folder.
"""

import json
import os
import shutil
import tempfile
import tracemalloc

import numpy as np
import pytest
import tiny_export
from keras_mdl_export import Manifest, apply_pack, load
from keras_mdl_export.packs import PackError
from tiny_export import FORMS, expected, images, make_export

REFUSED = (ValueError, FileNotFoundError)
HOSTILE = (
    None,
    True,
    0,
    -1,
    2**31,
    2**64,
    10**400,
    0.5,
    1e308,
    "",
    "x",
    "..",
    "../../x",
    "/etc/passwd",
    "C:\\x",
    "a\0b",
    "\ud800",
    "bundle.tflite",
    "parts/trunk.bin",
    "0" * 64,
    "x" * 100_000,
    [],
    [[]],
    [None] * 3,
    {},
    {"": {}},
    {"sha256": "0" * 64, "bytes": 2**30},
)
PIXELS = images(n=1)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    make_export(folder)
    return folder


@pytest.fixture
def place(source, tmp_path, monkeypatch):
    """A copy of the export in a folder where nothing else may appear."""
    copy = tmp_path / "around" / "export"
    shutil.copytree(source, copy)
    private = tmp_path / "around" / "temporary"
    private.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(private))
    monkeypatch.chdir(private)
    return copy


def everything_in(folder):
    """All paths and contents below a folder."""
    return {
        os.path.relpath(os.path.join(top, name), folder): (
            open_and_read(os.path.join(top, name)) if name in names else None
        )
        for top, folders, names in os.walk(folder)
        for name in folders + names
    }


def open_and_read(path):
    with open(path, "rb") as file:
        return file.read()


def mutated(content, rng):
    """A few bits, bytes or stretches of `content` changed."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(6)
        start, stop = sorted(rng.integers(0, len(content) + 1, 2))
        if kind == 0 and len(content):
            content[rng.integers(len(content))] ^= 1 << rng.integers(8)
        elif kind == 1:
            del content[start:]
        elif kind == 2:
            del content[start:stop]
        elif kind == 3:
            content[start:start] = content[start:stop]
        elif kind == 4:
            content[start:stop] = rng.bytes(stop - start)
        else:
            content += rng.bytes(rng.integers(1, 9))
    return bytes(content)


def places_in(values):
    """Every container of a JSON value with every key into it."""
    found = []
    pairs = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in pairs:
        found.append((values, key))
        if isinstance(value, dict | list):
            found += places_in(value)
    return found


def answers_right(folder, form):
    """Whether an export answers; if it does, the answer is right."""
    answered = False
    try:
        classifiers = load(folder, form)
        for name in tiny_export.DOMAINS:
            # A changed manifest may call a domain by another name.
            if name not in classifiers:
                continue
            scores = classifiers[name](PIXELS)
            np.testing.assert_allclose(
                scores, expected(name, PIXELS), atol=1e-5
            )
            answered = True
    except REFUSED:
        return False
    return answered


@pytest.mark.parametrize("form", [*FORMS, None])
def test_damaged_files(place, source, form):
    rng = np.random.default_rng(0)
    paths = sorted(Manifest.read(source).files)
    if form == "models":
        paths = [p for p in paths if p.startswith("models/")]
    around = place.parent
    before = everything_in(around)
    refused = 0
    for _ in range(60):
        path = paths[rng.integers(len(paths))]
        content = mutated((source / path).read_bytes(), rng)
        if rng.integers(10):
            (place / path).write_bytes(content)
        else:
            (place / path).unlink()
        refused += not answers_right(place, form)
        shutil.copyfile(source / path, place / path)
        assert everything_in(around) == before
    # Most forms do not read most files.
    assert refused > 0 or form is None
    assert answers_right(place, form)


def test_damaged_manifests(place, source):
    rng = np.random.default_rng(1)
    intact = (source / "manifest.json").read_bytes()
    around = place.parent
    before = everything_in(around)
    for i in range(300):
        (place / "manifest.json").write_bytes(mutated(intact, rng))
        answers_right(place, FORMS[i % len(FORMS)])
    (place / "manifest.json").write_bytes(intact)
    assert everything_in(around) == before


def test_hostile_values_in_manifests(place, source):
    rng = np.random.default_rng(2)
    intact = (source / "manifest.json").read_text()
    around = place.parent
    before = everything_in(around)
    count = len(places_in(json.loads(intact)))
    for i in range(400):
        values = json.loads(intact)
        for _ in range(rng.integers(1, 3)):
            places = places_in(values)
            # Each place at least once.
            index = i if i < count else rng.integers(len(places))
            container, key = places[index % len(places)]
            value = HOSTILE[rng.integers(len(HOSTILE))]
            if isinstance(container, dict) and not rng.integers(6):
                container[str(value)[:99]] = container.pop(key)
            elif not rng.integers(8):
                del container[key]
            else:
                container[key] = value
        (place / "manifest.json").write_text(
            json.dumps(values), encoding="utf-8"
        )
        answers_right(place, FORMS[i % len(FORMS)])
    (place / "manifest.json").write_text(intact)
    assert everything_in(around) == before


def test_mutated_packs():
    rng = np.random.default_rng(3)
    base, result = rng.bytes(2000), rng.bytes(300)
    result = result[:100] + base + result[100:]
    pack = tiny_export.make_pack(base, result)
    wanted = tiny_export.digest(result)
    refused = 0
    for _ in range(2000):
        try:
            assert apply_pack(mutated(pack, rng), base, wanted) == result
        except PackError:
            refused += 1
    assert refused > 1900


def test_hostile_headers_of_packs():
    rng = np.random.default_rng(4)
    base = rng.bytes(500)
    pack = tiny_export.make_pack(base, base + b"x")
    length = int.from_bytes(pack[8:12], "little")
    intact, frame = pack[12 : 12 + length], pack[12 + length :]
    for _ in range(500):
        values = json.loads(intact)
        places = places_in(values)
        container, key = places[rng.integers(len(places))]
        container[key] = HOSTILE[rng.integers(len(HOSTILE))]
        header = json.dumps(values).encode()
        changed = pack[:8] + len(header).to_bytes(4, "little") + header + frame
        with pytest.raises(PackError):
            apply_pack(changed, base, tiny_export.digest(base + b"x"))


@pytest.mark.parametrize("form", FORMS)
def test_files_exchanged_for_each_other(place, source, form):
    paths = sorted(Manifest.read(source).files)
    rng = np.random.default_rng(6)
    for _ in range(20):
        first, second = (paths[i] for i in rng.choice(len(paths), 2, False))
        shutil.copyfile(source / first, place / second)
        answers_right(place, form)
        shutil.copyfile(source / second, place / second)
    assert answers_right(place, form)


@pytest.mark.parametrize("form", FORMS)
def test_links_to_the_right_bytes_are_refused_too(place, source, form):
    for path in Manifest.read(source).paths(form, "dtd"):
        (place / path).unlink()
        (place / path).symlink_to(source / path)
        with pytest.raises(ValueError, match="symbolic link"):
            load(place, form)["dtd"](PIXELS)
        (place / path).unlink()
        shutil.copyfile(source / path, place / path)
    assert answers_right(place, form)


def test_a_huge_manifest_is_refused_in_few_words(place):
    intact = (place / "manifest.json").read_text().strip()[:-1]
    digest = '{"sha256": "%s", "bytes": 1}' % ("0" * 64)
    files = ", ".join(f'"models/{i:06}": {digest}' for i in range(18_000))
    for key, value in (
        ("later", "[" + "[]," * 600_000 + "0]"),
        ("x" * 2_000_000, "1"),
        ("later", f'"{"x" * 2_000_000}"'),
        ("later", "9" * 2_000_000),
        ("later", f"{{{files}}}"),
        ("later", " " * 13_000_000 + "1"),  # of which none is parsed
    ):
        (place / "manifest.json").write_text(f'{intact}, "{key}": {value}}}')
        with pytest.raises(ValueError, match="manifest") as caught:
            load(place)
        assert len(str(caught.value)) < 1000


def test_a_manifest_of_many_items_takes_little_memory(place):
    items = "[" + "[]," * 600_000 + "0]"
    (place / "manifest.json").write_text(f'{{"later": {items}}}')
    tracemalloc.start()
    with pytest.raises(ValueError, match="later"):
        load(place)
    assert tracemalloc.get_traced_memory()[1] < 80e6
    tracemalloc.stop()
