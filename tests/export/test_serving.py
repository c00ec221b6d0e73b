"""What belongs to the page and needs no browser."""

import ast
import hashlib
import http.client
import json
import re
import threading
from pathlib import Path

import pytest
from keras_mdl_export import manifest, manifest_schema, packs, serving
from tiny_export import key_pair, make_export

ROOT = Path(__file__).parents[2] / "export"
SOURCES = ROOT / "web"
PAGE = ROOT / "keras_mdl_export" / "web"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "export").mkdir()
    make_export(tmp_path / "export")
    return tmp_path / "export"


@pytest.fixture
def ask(folder):
    """Asks the server of an export: `(status, headers, content)`."""
    server, url = serving.server(folder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def ask(path, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, answer.headers, content

    ask.export = "/" + url.partition("=")[2]
    yield ask
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_page_was_built_from_these_sources():
    # (`npm ci && npm run build` in export/web/ builds it.)
    built = json.loads((PAGE / "sources.json").read_text())
    found = {
        path.relative_to(SOURCES).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in [
            *SOURCES.glob("src/**/*"),
            SOURCES / "build.mjs",
            SOURCES / "licences.txt",
            SOURCES / "package-lock.json",
        ]
    }
    assert built == found
    worker = (PAGE / "sw.js").read_text()
    for path in PAGE.rglob("*"):
        name = path.relative_to(PAGE).as_posix()
        if path.is_file() and path.suffix not in (".txt", ".json"):
            assert name == "sw.js" or f'"{name}"' in worker


def test_its_types_are_those_of_the_manifest():
    types = (SOURCES / "src" / "manifest.ts").read_text()
    tree = ast.parse(Path(manifest_schema.__file__).read_text())
    keys = {
        key.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", "") == "record"
        for node in call.args
        if isinstance(node, ast.Dict)
        for key in node.keys
        if key is not None
    }
    keys |= {"model", "prefix", "labels", "pack", "sha256", "bytes"}
    types = re.sub(r"/\*\*.*?\*/", "", types, flags=re.DOTALL)
    blocks = re.findall(r"export interface \w+ {\n(.*?)\n}\n", types, re.DOTALL)
    names = set(re.findall(r"[\s{;](\w+)\??: ", "\n".join(blocks)))
    assert keys <= names  # (what is optional may come later)
    for name, value in (
        ("FORMAT", manifest_schema.FORMAT),
        ("TRUNK", manifest_schema.TRUNK),
    ):
        assert f"export const {name} = '{value}';" in types
    assert f"MAX_BYTES = {manifest.MAX_BYTES // 2**20} * 1024" in types
    source = (SOURCES / "src" / "packs.ts").read_text()
    assert f"FORMAT = '{packs.FORMAT}'" in source
    assert f"MAGIC = '{packs.MAGIC.decode()}'" in source


def test_page_and_export_are_served(ask, folder):
    status, headers, content = ask("/")
    assert (status, content) == (200, (PAGE / "index.html").read_bytes())
    status, headers, content = ask(f"{ask.export}/manifest.json")
    assert content == (folder / "manifest.json").read_bytes()
    again = ask(
        f"{ask.export}/manifest.json",
        If_Modified_Since=headers["Last-Modified"],
    )
    assert (again[0], again[2]) == (304, b"")
    wasm = next(PAGE.glob("litert/*.wasm")).name
    assert ask(f"/litert/{wasm}")[1]["Content-Type"] == "application/wasm"


def test_nothing_else_is_served(ask, folder):
    (folder.parent / "secret").write_text("x")
    for path in (
        f"{ask.export}/../secret", f"{ask.export}/%2e%2e/secret", "/secret",
        f"{ask.export}/", "/litert/", "/../serving.py", "/export-0/x",
    ):  # fmt: skip
        assert ask(path)[0] == 404, path
    # A page of another name that was made to lead here reads nothing.
    for host in ("evil.example", "evil.example:80", ""):
        assert ask("/", Host=host)[0] == 403
    assert ask("/", Host="localhost")[0] == 200


def test_a_site_for_any_web_server(folder, tmp_path):
    out = tmp_path / "site"
    serving.write_site(folder, out)
    assert (out / "index.html").is_file()
    listed = manifest.Manifest.read(out / "export").files
    for path in listed:
        copied = (out / "export" / path).read_bytes()
        assert copied == (folder / path).read_bytes()
    with pytest.raises(FileExistsError):
        serving.write_site(folder, out)
    private, public = key_pair()
    make_export(folder, signing_key=private)
    with pytest.raises(ValueError, match="not signed by the owner"):
        serving.write_site(folder, tmp_path / "s", public_key=key_pair()[1])
    plain = {name: (out / name).read_text() for name in ("index.html", "sw.js")}
    serving.write_site(folder, out, overwrite=True, public_key=public)
    key = "".join(public.decode().splitlines()[1:-1])
    for name, text in plain.items():  # the worker brings the page anew
        assert key in (out / name).read_text()
        assert key not in text
    trunk = folder / "parts" / "trunk.bin"
    trunk.write_bytes(trunk.read_bytes()[::-1])
    with pytest.raises(ValueError, match=r"trunk\.bin is damaged"):
        serving.write_site(folder, out, overwrite=True)
    assert (out / "index.html").is_file()  # that of before
