"""The page that runs an export in a browser: served, or written to a folder.

Its sources are in `export/web/`; what `npm run build` makes of them lies in
`web/` beside this file, LiteRT.js included. Needs Python alone.
"""

import functools
import hashlib
import http.server
import pathlib
import shutil
import urllib.parse

from keras_mdl_export.manifest import Manifest
from keras_mdl_export.manifest_schema import MANIFEST, SIGNATURE
from keras_mdl_export.reading import read_bounded, read_verified

MARKER = "page.js"  # every folder with the page has it
_PAGE = str(pathlib.Path(__file__).with_name("web"))
_TYPES = {
    ".wasm": "application/wasm",
    ".js": "text/javascript",
    ".tflite": "application/octet-stream",
}


def server(folder, port=0):
    """A web server of the page and of an export, for this machine alone.

    Args:
        folder: The export folder. A later export in its place is seen.
        port: The port; 0 takes a free one.

    Returns:
        `(server, URL)`: an `http.server.ThreadingHTTPServer` that listens on
        127.0.0.1; `serve_forever` answers. Pages with other exports have
        other URLs, as the browser keeps files by URL.

    Raises:
        FileNotFoundError: If there is no export.
        ValueError: If its manifest is not valid.
        OSError: If the port is taken.
    """
    folder = pathlib.Path(folder).resolve()
    Manifest.read(folder)
    key = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    handler = functools.partial(
        _Handler, directory=_PAGE, folders={f"export-{key}": str(folder)}
    )
    made = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    made.daemon_threads = True
    return made, f"http://localhost:{made.server_port}/?export=export-{key}"


def write_site(folder, out, overwrite=False):
    """Writes the page and an export into a folder for any web server.

    Args:
        folder: The export folder.
        out: The folder to write; its `index.html` runs the export.
        overwrite: Whether to replace such a folder.

    Raises:
        FileNotFoundError: If there is no export, or a file of it is missing.
        ValueError: If the manifest is not valid, or a file is damaged.
        FileExistsError: If `out` is there, and is not to be replaced.
    """
    # Only here: who runs an export needs nothing else of keras_mdl.
    from keras_mdl.files import atomic_folder

    folder = pathlib.Path(folder)
    manifest = Manifest.read(folder)
    with atomic_folder(out, MARKER, overwrite) as hidden:
        shutil.copytree(_PAGE, hidden, dirs_exist_ok=True)
        for path in manifest.files:
            content = read_verified(folder, manifest, path)
            target = hidden / "export" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for name in (MANIFEST, SIGNATURE):
            if (folder / name).exists():
                content = read_bounded(folder, name, limit=2**21)
                (hidden / "export" / name).write_bytes(content)


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
