"""A signed export is the owner's, to the last byte."""

import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from keras_mdl_export import load, update
from tiny_export import images, key_pair, make_export

PRIVATE, PUBLIC = key_pair()


@pytest.fixture
def signed(tmp_path):
    folder = tmp_path / "signed"
    folder.mkdir()
    make_export(folder, signing_key=PRIVATE)
    return folder


def test_the_owners_export_is_loaded_and_installed(signed, tmp_path):
    assert load(signed, public_key=PUBLIC)["dtd"](images()).shape == (2, 3)
    assert load(signed)  # who has no key need not look
    folder = update(tmp_path / "device", signed, public_key=PUBLIC)
    assert load(folder, public_key=PUBLIC)


@pytest.mark.parametrize("place", [0, 100, -2])
def test_a_changed_manifest_is_refused(signed, place):
    path = signed / "manifest.json"
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not signed by the owner"):
        load(signed, public_key=PUBLIC)


def test_another_key_and_no_signature_are_refused(signed, tmp_path):
    with pytest.raises(ValueError, match="not signed by the owner"):
        load(signed, public_key=key_pair()[1])
    signature = (signed / "manifest.sig").read_bytes()
    for content in (signature[:-1], signature + b"x", b""):
        (signed / "manifest.sig").write_bytes(content)
        with pytest.raises(ValueError, match="should have 64 bytes"):
            load(signed, public_key=PUBLIC)
    (signed / "manifest.sig").unlink()
    with pytest.raises(FileNotFoundError, match=r"manifest\.sig"):
        load(signed, public_key=PUBLIC)
    with pytest.raises(FileNotFoundError, match=r"manifest\.sig"):
        update(tmp_path / "device", signed, public_key=PUBLIC)


def test_the_signature_of_another_export_is_refused(signed, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_export(other, version=2, signing_key=PRIVATE)
    shutil.copy(signed / "manifest.sig", other)
    with pytest.raises(ValueError, match="not signed by the owner"):
        load(other, public_key=PUBLIC)


def test_other_keys_are_refused(signed, tmp_path):
    private, public = key_pair(lambda: ec.generate_private_key(ec.SECP256R1()))
    for key in (public, b"", b"none", PRIVATE):
        with pytest.raises(ValueError, match=r"key|Ed25519"):
            load(signed, public_key=key)
    for key in (private, b"", PUBLIC):
        with pytest.raises(ValueError, match="signing key"):
            make_export(tmp_path, signing_key=key)
    assert not (tmp_path / "manifest.json").exists()
