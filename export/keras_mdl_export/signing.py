"""Ed25519 signatures of a manifest: who made an export, not only what.

`manifest.sig` holds the 64 bytes of the signature of `manifest.json`, byte
for byte. The manifest has the hash of every other file, so that one signature
covers the export. Make a pair of keys once:

    openssl genpkey -algorithm ed25519 -out export_key.pem
    openssl pkey -in export_key.pem -pubout -out export_key.pub.pem

Keep the private key where exports are made and nowhere else (not in the
repository, not on a web server); build the public one into the app. To
change keys, ship an app that accepts both, and then one with the new key.
"""

from keras_mdl_export.manifest_schema import SIGNATURE
from keras_mdl_export.reading import read_bounded

_BYTES = 64


def sign(content, private_key):
    """The signature of some bytes.

    Args:
        content: The bytes.
        private_key: An Ed25519 private key, PEM (`bytes`), not encrypted.

    Raises:
        ValueError: If it is no such key.
    """
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(private_key, password=None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The signing key cannot be read: {error}") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise ValueError(
            "The signing key must be an Ed25519 private key. "
            f"Received: {type(key).__name__}"
        )
    return key.sign(content)


def check_signature(folder, content, public_key):
    """Refuses a manifest that the owner of a key has not signed.

    Args:
        folder: The export folder.
        content: Bytes of its manifest.
        public_key: An Ed25519 public key, PEM (`bytes`).

    Raises:
        FileNotFoundError: If the export is not signed.
        ValueError: If the signature is not that of the manifest by this key,
            or the key is none.
    """
    from cryptography.exceptions import InvalidSignature

    signature = read_bounded(folder, SIGNATURE, exactly=_BYTES)
    try:
        _read_public(public_key).verify(signature, content)
    except InvalidSignature:
        raise ValueError(
            f"The manifest in {folder} was not signed by the owner of this "
            "key, or was changed after it was"
        ) from None


def public_der(public_key):
    """SubjectPublicKeyInfo (`bytes`, DER) of a key in PEM, for a browser.

    Raises:
        ValueError: If it is no Ed25519 public key.
    """
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
    )

    return _read_public(public_key).public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def _read_public(public_key):
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import (
        load_pem_public_key,
    )

    try:
        key = load_pem_public_key(public_key)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The public key cannot be read: {error}") from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ValueError(
            "Exports are signed with Ed25519. "
            f"Received: a {type(key).__name__} as public key"
        )
    return key
