"""An export in headless Chromium, by the page that `keras-mdl serve` shows.

    python benchmarks/export_browser.py runs/demo/export

For the export of `keras-mdl demo`: whether each domain's validation images,
drawn larger than the network takes them, get the class that the Python loader
gives; what a domain costs in bytes when it is chosen first, and in time when
it is chosen again; the time of a picture. One row per domain goes to
`results/export_browser.csv`; the page is drawn to `docs/guide/page.png`.
Needs the package `playwright` and an installed Chromium.
"""

import argparse
import pathlib
import shutil
import statistics
import tempfile
import threading

import stored
from environment import environment
from keras_mdl_export import load, serving
from PIL import Image
from playwright.sync_api import sync_playwright

from keras_mdl.data import embedded
from keras_mdl.data.render import centre
from keras_mdl.data.resize import resized

PICTURE = stored.RESULTS.parents[1] / "docs" / "guide" / "page.png"
LARGER = 2.5  # than the network's input, so that there is something to shrink
ROUNDS = 9
SEEN = """() => {
  const canvas = document.getElementById('seen');
  const {data} = canvas.getContext('2d')
      .getImageData(0, 0, canvas.width, canvas.height);
  return Array.from(data.filter((_, i) => i % 4 < 3));
}"""


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("export", type=pathlib.Path)
    p.add_argument("--images", type=int, default=100, help="of each domain")
    p.add_argument(
        "--out",
        type=pathlib.Path,
        default=stored.RESULTS / "export_browser.csv",
    )
    args = p.parse_args()
    server, url = serving.server(args.export)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--disable-gpu"],
            chromium_sandbox=False,
        )  # fmt: skip
        tab = browser.new_page(viewport={"width": 960, "height": 680})
        tab.goto(url)
        ready(tab)
        classifiers, fetched = load(args.export), {}
        for name in classifiers:
            choose(tab, name)
            time_and_bytes = fact(tab, "switch")
            fetched[name] = time_and_bytes.split(", ")[1].split(" fetched")[0]
        rows = [
            {
                **measure(tab, classifier, args.images),
                "first_fetched": fetched[name],
                "form": fact(tab, "form"),
                "chromium": browser.version,
            }
            for name, classifier in classifiers.items()
        ]
        draw(tab, [*classifiers][-1])
        browser.close()
    args.out.unlink(missing_ok=True)
    stored.append(args.out, [{**row, **environment()} for row in rows])


def measure(tab, classifier, count):
    """Answers and times of a domain."""
    name, size = classifier.name, classifier.input_shape[1]
    choose(tab, name)
    data = embedded.load(name, size=int(LARGER * size))
    images = data.images("validation")
    chosen = range(0, len(images), max(1, len(images) // count))[:count]
    same = alike = 0
    worst = margin = 0.0
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for i in chosen:
            path = pathlib.Path(folder, f"{i}.png")
            Image.fromarray(images[i]).save(path)
            tab.set_input_files("#file", path)
            ready(tab)
            label, _, percent = tab.inner_text("#scores li").partition("\n")
            pixels = centre(resized(images[i], size), (size, size))
            scores = dict(classifier.top(pixels, len(classifier.classes)))
            best = max(scores, key=scores.get)
            same += label == best
            # By how much Python prefers its own answer to the page's.
            margin = max(margin, 100 * (scores[best] - scores[label]))
            alike += tab.evaluate(SEEN) == pixels.ravel().tolist()
            shown = float(percent.rstrip(" %"))
            worst = max(worst, abs(shown - 100 * scores[label]))
            times.append(milliseconds(fact(tab, "time")))
    other = next(
        n for n in tab.locator("input[name=domain]").all()
        if n.get_attribute("value") != name
    ).get_attribute("value")  # fmt: skip
    again = []
    for _ in range(ROUNDS):
        choose(tab, other)
        choose(tab, name)
        text = fact(tab, "switch")
        if not text.endswith(", 0 B fetched"):
            raise RuntimeError(f"{name} was fetched twice: {text}")
        again.append(milliseconds(text))
    row = {
        "domain": name,
        "classes": len(classifier.classes),
        "images": len(chosen),
        "same_pixels": alike,
        "same_class": same,
        "max_points": round(worst, 1),
        "margin_points": round(margin, 1),
        "switch_ms": statistics.median(again),
        "picture_ms": round(statistics.median(times), 1),
    }
    print(row, flush=True)
    return row


def draw(tab, name):
    """The page with the most colourful of a domain's images."""
    choose(tab, name)
    images = embedded.load(name, size=160).images("validation")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "picture.png")
        Image.fromarray(max(images, key=_colour)).save(path)
        tab.set_input_files("#file", path)
        ready(tab)
    tab.evaluate("document.activeElement.blur()")
    tab.screenshot(path=PICTURE, full_page=True)


def _colour(image):
    return (image.max(-1) - image.min(-1)).mean()


def choose(tab, name):
    tab.check(f"input[value='{name}']")
    ready(tab)


def ready(tab):
    tab.wait_for_selector("body[data-ready]")
    if tab.is_visible("#error"):
        raise RuntimeError(tab.inner_text("#error"))


def fact(tab, name):
    return tab.inner_text(f"#{name}")


def milliseconds(text):
    return float(text.partition(" ms")[0])


if __name__ == "__main__":
    main()
