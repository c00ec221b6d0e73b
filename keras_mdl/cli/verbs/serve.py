"""`keras-mdl serve`."""

import pathlib
from typing import Annotated

from cyclopts import Parameter

from keras_mdl.cli import flags, outputs
from keras_mdl.cli.errors import InputError, bad_input


def serve(
    export: Annotated[pathlib.Path, Parameter(name="EXPORT")],
    *,
    port: flags.PositiveInt = 8765,
    open: flags.Switch = False,
    out: pathlib.Path | None = None,
    public_key: pathlib.Path | None = None,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Show an export in a browser, on this machine alone.

    A page that runs the networks itself (LiteRT.js): pictures from files, the
    clipboard or the camera; the trunk is fetched once and each domain's part
    when it is chosen. Ctrl-C ends it. With --out the page and the export are
    written to a folder instead, which any web server can serve as it is (a
    phone needs https).

    Args:
        export: folder that `export` or `demo` has written
        port: of http://localhost:PORT
        open: open the browser too
        out: folder to write for another web server
        public_key: PEM file of the Ed25519 key that must have signed what the
            page runs, today and after updates
    """
    from keras_mdl_export import serving

    with bad_input():
        key = public_key and public_key.read_bytes()
    if out is not None:
        with outputs.reserved(out), bad_input():
            serving.write_site(export, out, overwrite, key)
        console.say(f"wrote {out}: index.html runs the export beside it")
        return {"out": str(out)}
    with bad_input():
        try:
            server, url = serving.server(export, port, key)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise InputError(
                f"--port {port} cannot be used: {error.strerror}"
            ) from error
    with server:
        console.say(f"{export}: {url}\nCtrl-C ends it")
        if open:
            import webbrowser

            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            console.say()
    return {"url": url}
