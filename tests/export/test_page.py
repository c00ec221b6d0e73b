"""The page in a real browser: right classes, few bytes, no damaged file."""

import json
import os
import shutil

import browsing
import numpy as np
import pytest
from browsing import Page, Site
from exported import quiet_export, small_model
from keras_mdl_export import load
from PIL import Image
from tiny_export import DOMAINS, FORMS, key_pair, make_export, replace_file

from keras_mdl.data.embedded import patches
from keras_mdl.data.pixels import rgb_from_file
from keras_mdl.data.render import centre
from keras_mdl.data.resize import resized

PLACES = {
    "models": ["models/dtd.tflite"],
    "parts": ["parts/dtd.labels.zip", "parts/dtd.prefix", "parts/trunk.bin"],
    "bundle": ["bundle.tflite"],
    "packs": ["packs/dtd.pack", "parts/trunk.bin"],
}
ORIENTATION = 0x0112  # EXIF: how the camera was held
TIMES = iter(range(2**31, 2**32, 60))


@pytest.fixture(scope="module")
def browser():
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser):
    """Opens an export's page, in one person's storage: `(Page, Site)`."""
    sites, context = [], browser.new_context()
    context.set_default_timeout(30_000)

    def visit(folder, public_key=None):
        sites.append(Site(folder, public_key))
        return Page(context, sites[-1].url), sites[-1]

    yield visit
    context.close()
    for site in sites:
        site.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Real photographs in the ways in which people have them."""
    folder = tmp_path_factory.mktemp("photos")
    cat = patches._photograph("chelsea.png")
    temple = patches._photograph("china.jpg")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    cat.save(folder / "cat.png")
    cat.resize((20, 30)).save(folder / "small.png")  # grows one way
    temple.save(folder / "temple.jpg", quality=90)
    temple.save(folder / "on_its_side.jpg", quality=90, exif=exif)
    temple.convert("L").save(folder / "grey.png")
    temple.quantize(64).save(folder / "palette.png")
    cat.putalpha(Image.linear_gradient("L").resize(cat.size))
    cat.save(folder / "transparent.png")
    return sorted(folder.iterdir())


@pytest.fixture
def folder(tmp_path):
    """A small export in all forms, of version 1."""
    (tmp_path / "export").mkdir()
    make_export(tmp_path / "export")
    return tmp_path / "export"


def same_scores(page, classifier, image):
    """The page shows what the loader says, in its order, to 0.1 %."""
    shown = page.scores()
    best = classifier.top(image, len(classifier.classes))
    assert [score for _, score in shown] == pytest.approx(
        [100 * score for _, score in best[:5]], abs=0.11
    )
    scores = dict(best)
    for name, score in shown:  # (equal ones may stand in either order)
        assert score == pytest.approx(100 * scores[name], abs=0.11)


def put(source, folder):
    """Publishes an export in the place of another."""
    if source != folder:
        shutil.rmtree(folder)
        shutil.copytree(source, folder)
    # Web servers tell files of one second apart by size, if at all.
    os.utime(folder / "manifest.json", (next(TIMES),) * 2)


def test_it_answers_as_python_does_on_what_training_saw(
    tmp_path, photos, visit
):
    model = small_model(input_shape=(24, 24, 3))
    quiet_export(model, tmp_path / "e")
    page, site = visit(tmp_path / "e")
    for name, classifier in load(tmp_path / "e").items():
        page.choose(name)
        for path in photos:
            image = centre(resized(rgb_from_file(path), 24), (24, 24))
            page.open(path)
            seen = np.reshape(page.seen(), image.shape).astype("uint8")
            # (Decoders of JPEG may round differently.)
            limit = 2 if path.suffix == ".jpg" else 0
            np.testing.assert_allclose(seen, image, rtol=0, atol=limit)
            same_scores(page, classifier, seen)
    packs = [f"packs/{name}.pack" for name in "ab"]
    assert site.fetched() == ["manifest.json", *packs, "parts/trunk.bin"]


@pytest.mark.parametrize(
    ("form", "dtype"), list(zip(FORMS, ("uint8", "float32") * 2, strict=True))
)
def test_every_form_answers(tmp_path, photos, visit, form, dtype):
    forms = ("parts", "packs") if form == "packs" else (form,)
    make_export(tmp_path, dtype, forms)
    page, site = visit(tmp_path)
    assert page.text("form") == form
    page.open(photos[0])
    seen = np.reshape(page.seen(), (8, 8, 3)).astype("uint8")
    same_scores(page, load(tmp_path)["dtd"], seen)
    assert site.fetched() == sorted(["manifest.json", *PLACES[form]])


def test_a_second_visit_fetches_nothing_and_needs_no_network(
    folder, photos, visit
):
    page, site = visit(folder)
    page.open(photos[0])
    first, _ = page.scores(), page.offline_ready()
    assert site.fetched() == ["manifest.json", *PLACES["packs"]]
    page.reload()
    assert page.text("fetched") == "0 B"
    assert site.asked == [("manifest.json", 304)]
    site.close()
    page.reload()
    assert page.text("note") == "offline"
    page.open(photos[0])
    assert page.scores() == first
    # The other domain was never chosen: what is missing is said.
    page.choose("svhn")
    assert "packs/svhn.pack cannot be fetched" in page.text("error")
    page.choose("dtd")
    assert page.scores() == first
    assert not page.shows("error")


def test_all_domains_are_kept_where_somebody_wants_that(folder, visit):
    page, site = visit(folder)
    page.offline_ready()
    page.press("keep")
    assert not page.shows("keep")
    assert "packs/svhn.pack" in site.fetched()
    site.close()
    page.reload()
    for domain in DOMAINS:
        page.choose(domain)
        assert not page.shows("error")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda c: bytes([c[0] ^ 1]) + c[1:], "its SHA-256 should be"),
        (lambda c: c[:-1], "Received: 191 bytes"),
        (lambda c: c + b"x", "Received: 193 bytes"),
    ],
)
def test_a_damaged_trunk_is_refused(folder, visit, damage, message):
    trunk = folder / "parts" / "trunk.bin"
    good = trunk.read_bytes()
    trunk.write_bytes(damage(good))
    page, _ = visit(folder)
    assert "parts/trunk.bin is damaged" in page.text("error")
    assert message in page.text("error")
    assert page.text("form") == "-"
    # It was not kept: once the server has the right one, all is well.
    trunk.write_bytes(good)
    page.reload()
    assert (page.text("error"), page.text("form")) == ("", "packs")


def test_an_update_arrives_by_pack_whole_or_not_at_all(
    folder, tmp_path, photos, visit
):
    page, site = visit(folder)
    page.open(photos[0])
    first = page.scores()
    later = tmp_path / "later"
    later.mkdir()
    make_export(later, version=2, sharper=3)
    pack = later / "packs" / "dtd.pack"
    good = pack.read_bytes()
    pack.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    put(later, folder)
    page.press("update")
    assert "packs/dtd.pack is damaged" in page.text("note")
    assert (page.text("version"), page.scores()) == ("1 (float32)", first)
    # A valid pack of another domain is not this one's.
    other = (later / "packs" / "svhn.pack").read_bytes()
    replace_file(folder, "packs/dtd.pack", other)
    put(folder, folder)
    page.press("update")
    assert "is for another result" in page.text("note")
    assert not page.shows("insist")
    pack.write_bytes(good)
    put(later, folder)
    site.asked.clear()
    page.press("update")
    assert page.text("version") == "2 (float32)"
    assert page.text("note") == "updated from version 1"
    assert site.fetched() == ["manifest.json", "packs/dtd.pack"]
    seen = np.reshape(page.seen(), (8, 8, 3)).astype("float32")
    same_scores(page, load(folder)["dtd"], seen)
    assert page.scores() != first
    # The one before does not come back unless somebody insists.
    values = json.loads((folder / "manifest.json").read_text())
    values["version"] = 1
    (folder / "manifest.json").write_text(json.dumps(values))
    put(folder, folder)
    page.reload()
    assert page.text("version") == "2 (float32)"
    assert "version 1, which is older" in page.text("note")
    page.press("insist")
    page.wait()
    assert page.text("version") == "1 (float32)"


def test_a_page_with_a_key_runs_nothing_but_what_its_owner_signed(
    folder, visit
):
    private, public = key_pair()
    with pytest.raises(FileNotFoundError, match=r"manifest\.sig"):
        Site(folder, public)
    make_export(folder, signing_key=private)
    page, site = visit(folder, public)
    assert (page.text("error"), page.text("version")) == ("", "1 (float32)")
    assert "manifest.sig" in site.fetched()
    page.reload()  # what is kept was checked when it came
    assert site.asked == [("manifest.json", 304)]
    good = (folder / "manifest.sig").read_bytes()
    for key in (None, key_pair()[0]):  # the signature before; another's
        make_export(folder, version=2, signing_key=key)
        put(folder, folder)
        page.press("update")
        assert "was not signed by the owner" in page.text("note")
        assert page.text("version") == "1 (float32)"
        assert not page.shows("insist")
    (folder / "manifest.sig").unlink()
    put(folder, folder)
    page.press("update")
    assert "manifest.sig: the server answers 404" in page.text("note")
    make_export(folder, version=2, signing_key=private)
    assert (folder / "manifest.sig").read_bytes() != good
    put(folder, folder)
    page.press("update")
    assert page.text("version") == "2 (float32)"


def test_what_an_older_page_has_kept_is_replaced(folder, visit):
    page, _ = visit(folder)
    page.tab.evaluate(
        """async () => {
          for (const name of await caches.keys())
            if (name.startsWith('keras-mdl export'))
              for (const {url} of await (await caches.open(name)).keys())
                if (url.endsWith('manifest.json'))
                  await (await caches.open(name)).put(
                      url, new Response('{"format": "keras_mdl.export/1"}'));
        }"""
    )
    page.reload()
    assert (page.text("error"), page.text("version")) == ("", "1 (float32)")


def test_what_is_no_export_is_said(folder, visit):
    (folder / "manifest.json").write_text("{}")
    with pytest.raises(ValueError, match="manifest"):
        Site(folder)
    make_export(folder)
    page, site = visit(folder)
    (folder / "manifest.json").write_text('{"format": "<b>keras</b>"}')
    put(folder, folder)
    page.press("update")
    assert "format should be keras_mdl.export/2" in page.text("note")
    other = page.tab.context.new_page()
    for address, message in (
        ("nowhere", "answers 404"),
        ("https://example.org/e", "on the page's own server"),
    ):
        other.goto(site.url.split("?")[0] + f"?export={address}")
        other.wait_for_selector("#error:visible")
        assert message in other.inner_text("#error")


def test_keyboard_camera_drop_and_a_phones_screen(folder, photos, visit):
    page, _ = visit(folder)
    tab = page.tab
    tab.set_viewport_size({"width": 360, "height": 640})
    tab.keyboard.press("Tab")
    order = []
    for _ in range(5):
        order.append(tab.evaluate("document.activeElement.id"))
        tab.keyboard.press("Tab")
    assert order == ["file", "camera", "", "keep", "update"]
    tab.focus("input[value='dtd']")
    tab.keyboard.press("ArrowDown")
    page.wait()
    assert tab.is_checked("input[value='svhn']")
    data = tab.evaluate_handle(
        """async bytes => {
          const data = new DataTransfer();
          data.items.add(new File([Uint8Array.from(bytes)], 'cat.png'));
          return data;
        }""",
        list(photos[0].read_bytes()),
    )
    tab.dispatch_event("body", "drop", {"dataTransfer": data})
    page.wait()
    assert len(page.scores()) == 2
    page.press("camera")
    tab.wait_for_function(
        "before => String(document.getElementById('seen').getContext('2d')"
        ".getImageData(0, 0, 8, 8).data) !== before",
        arg=tab.evaluate(
            "String(document.getElementById('seen').getContext('2d')"
            ".getImageData(0, 0, 8, 8).data)"
        ),
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    page.tab.click("#camera")
    tab.wait_for_function("document.getElementById('video').srcObject === null")


def test_a_file_that_is_no_picture_is_said(folder, tmp_path, visit):
    page, _ = visit(folder)
    (tmp_path / "notes.txt").write_text("hello")
    page.open(tmp_path / "notes.txt")
    assert "notes.txt is no picture" in page.text("error")
