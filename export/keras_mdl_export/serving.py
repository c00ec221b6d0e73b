"""The page that runs an export in a browser: served, or written to a folder.

Its sources are in `export/web/`; what `npm run build` makes of them lies in
`web/` beside this file, LiteRT.js included. Needs Python alone.
"""

import base64
import functools
import hashlib
import http.server
import pathlib
import shutil
import tempfile
import urllib.parse

from keras_mdl_export.manifest import Manifest
from keras_mdl_export.manifest_schema import MANIFEST, SIGNATURE
from keras_mdl_export.reading import read_bounded, read_verified

MARKER = "page.js"  # every folder with the page has it
_PAGE = pathlib.Path(__file__).with_name("web")
_KEY = '<meta name="export-key" content="{}">'
_TYPES = {
    ".wasm": "application/wasm",
    ".js": "text/javascript",
    ".tflite": "application/octet-stream",
}


def server(folder, port=0, public_key=None):
    """A web server of the page and of an export, for this machine alone.

    Args:
        folder: The export folder. A later export in its place is seen.
        port: The port; 0 takes a free one.
        public_key: PEM (`bytes`) of the Ed25519 key that must have signed
            what the page runs; `None`: it need not be signed.

    Returns:
        `(server, URL)`: an `http.server.ThreadingHTTPServer` that listens on
        127.0.0.1; `serve_forever` answers. Pages with other exports have
        other URLs, as the browser keeps files by URL.

    Raises:
        FileNotFoundError: If there is no export, or no signature.
        ValueError: If its manifest is not valid, or not signed by that key.
        OSError: If the port is taken.
    """
    folder = pathlib.Path(folder).resolve()
    Manifest.read(folder, public_key)
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    made = _Server(("127.0.0.1", port), _Handler)
    made.RequestHandlerClass = functools.partial(
        _Handler,
        directory=made.page_with(public_key),
        folders={f"export-{key}": str(folder)},
    )
    return made, f"http://localhost:{made.server_port}/?export=export-{key}"


def write_site(folder, out, overwrite=False, public_key=None):
    """Writes the page and an export into a folder for any web server.

    Args:
        folder: The export folder.
        out: The folder to write; its `index.html` runs the export.
        overwrite: Whether to replace such a folder.
        public_key: As of `server`. It is in the page, so whoever writes
            exports beside it later must have the private key.

    Raises:
        FileNotFoundError: If there is no export or signature, or a file of
            it is missing.
        ValueError: If the manifest is not valid, or not signed by that key,
            or a file is damaged.
        FileExistsError: If `out` is there, and is not to be replaced.
    """
    # Only here: who runs an export needs nothing else of keras_mdl.
    from keras_mdl.files import atomic_folder

    folder = pathlib.Path(folder)
    manifest = Manifest.read(folder, public_key)
    with atomic_folder(out, MARKER, overwrite) as hidden:
        _write_page(hidden, public_key)
        for path in manifest.files:
            content = read_verified(folder, manifest, path)
            target = hidden / "export" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for name in (MANIFEST, SIGNATURE):
            if (folder / name).exists():
                content = read_bounded(folder, name, limit=2**21)
                (hidden / "export" / name).write_bytes(content)


def _write_page(folder, public_key):
    shutil.copytree(_PAGE, folder, dirs_exist_ok=True)
    if public_key is None:
        return
    from keras_mdl_export.signing import public_der

    key = base64.b64encode(public_der(public_key)).decode()
    page = pathlib.Path(folder, "index.html")
    page.write_text(page.read_text().replace(_KEY.format(""), _KEY.format(key)))
    # Browsers that have kept the page take it anew if its worker differs.
    with open(pathlib.Path(folder, "sw.js"), "a") as worker:
        worker.write(f"// {key}\n")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    _folder = None

    def page_with(self, public_key):
        """The folder of the page with a key; it ends with the server."""
        if public_key is None:
            return str(_PAGE)
        self._folder = tempfile.TemporaryDirectory()
        _write_page(self._folder.name, public_key)
        return self._folder.name

    def server_close(self):
        super().server_close()
        if self._folder is not None:
            self._folder.cleanup()


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Files of the page below /, of exports below their names."""

    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        **_TYPES,
    }

    def __init__(self, *args, folders, **kwargs):
        self._folders = folders
        super().__init__(*args, **kwargs)  # which answers already

    def send_head(self):
        # Another site's name that leads here (DNS rebinding) gets nothing.
        host = urllib.parse.urlsplit(f"//{self.headers.get('Host')}").hostname
        if host not in ("localhost", "127.0.0.1"):
            return self.send_error(403, "for localhost only")
        return super().send_head()

    def translate_path(self, path):
        first, _, rest = path.lstrip("/").partition("/")
        if first in self._folders:
            # (The method below leaves out names like `..`.)
            page, self.directory = self.directory, self._folders[first]
            try:
                return super().translate_path(f"/{rest}")
            finally:
                self.directory = page
        return super().translate_path(path)

    def list_directory(self, path):
        return self.send_error(404, "File not found")

    def end_headers(self):
        # Asked again each time; "304 Not Modified" is a short answer.
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *_):
        """Nothing: the terminal is the command's."""
