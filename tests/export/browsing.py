"""A headless browser with the page of an export, and what it asked for."""

import contextlib
import importlib.util
import shutil
import threading

import pytest
from keras_mdl_export import serving

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update "
    "--disable-sync --use-fake-device-for-media-stream "
    "--use-fake-ui-for-media-stream"
).split()


def found():
    """Path of Chromium; skips the test where it or Playwright is missing."""
    if importlib.util.find_spec("playwright") is None:
        pytest.skip("needs the package `playwright` (extra `dev`)")
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip(f"needs a browser: {', '.join(_NAMES)}")
    return path


@contextlib.contextmanager
def chromium():
    """A `playwright` browser, without a window."""
    path = found()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_FLAGS)
        yield browser
        browser.close()


class Site:
    """An export behind `keras-mdl serve`.

    Args:
        folder: The export folder.
        public_key: The key that must have signed it, or `None`.

    Attributes:
        asked: `(path, status)` of the export's files that were asked for.
    """

    def __init__(self, folder, public_key=None):
        self.asked = []
        self._server, self.url = serving.server(folder, 0, public_key)
        handler = self._server.RequestHandlerClass
        self._server.RequestHandlerClass = self._listening(handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _listening(self, handler):
        asked = self.asked

        class Listening(handler.func):
            def log_request(self, code="-", size="-"):
                first, _, path = self.path.lstrip("/").partition("/")
                if first.startswith("export-"):
                    asked.append((path, int(code)))

        return lambda *args: Listening(*args, **handler.keywords)

    def fetched(self):
        """Paths that were sent since the last call."""
        sent = sorted(path for path, code in self.asked if code == 200)
        self.asked.clear()
        return sent

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Page:
    """The page, as somebody uses it.

    Args:
        context: A `playwright` browser context: one person's storage.
        url: Of the page.
    """

    def __init__(self, context, url):
        self.tab = context.new_page()
        self.tab.goto(url)
        self.wait()

    def wait(self):
        """Until the page has done what it was asked for."""
        self.tab.wait_for_selector("body[data-ready]")

    def reload(self):
        self.tab.reload()
        self.wait()

    def choose(self, domain):
        self.tab.check(f"input[value='{domain}']")
        self.wait()

    def open(self, path):
        self.tab.set_input_files("#file", path)
        self.wait()

    def press(self, button):
        self.tab.click(f"#{button}")
        self.wait()

    def text(self, part):
        return self.tab.inner_text(f"#{part}") if self.shows(part) else ""

    def shows(self, part):
        return self.tab.is_visible(f"#{part}")

    def scores(self):
        """`[(class, percent)]`, as they stand there."""
        rows = self.tab.locator("#scores li").all()
        cells = [row.locator("span").all_inner_texts() for row in rows]
        return [(name, float(text.rstrip(" %"))) for name, text in cells]

    def seen(self):
        """RGB values of what the network saw."""
        return self.tab.evaluate(
            """() => {
              const {width, height} = document.getElementById('seen');
              const pixels = document.getElementById('seen').getContext('2d')
                  .getImageData(0, 0, width, height).data;
              return Array.from(pixels.filter((_, i) => i % 4 < 3));
            }"""
        )

    def offline_ready(self):
        """Until the page itself is kept."""
        self.tab.evaluate("navigator.serviceWorker.ready.then(() => null)")
