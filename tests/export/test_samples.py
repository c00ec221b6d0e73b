"""The sample apps' sources: compiled where there is a compiler, and run."""

import pathlib
import shutil
import subprocess

import numpy as np
import pytest

from keras_mdl.data.render import centre
from keras_mdl.data.resize import resized

SAMPLES = pathlib.Path(__file__).parents[2] / "export" / "samples"
STUBS = pathlib.Path(__file__).with_name("android_stubs")
SWIFT_MAIN = """
import Foundation
let a = CommandLine.arguments
let n = a[3...].map { Int($0)! }
let rgba = [UInt8](try! Data(contentsOf: URL(fileURLWithPath: a[1])))
let rgb = centre(rgba, width: n[0], height: n[1], toWidth: n[2], toHeight: n[3])
try! Data(rgb).write(to: URL(fileURLWithPath: a[2]))
"""


def need(*commands):
    for command in commands:
        if shutil.which(command) is None:
            pytest.skip(f"needs the command `{command}`")


def run(*command, **options):
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr


def check_centre(folder, order, *command):
    """A sample's `centre` gives the pixels that training saw."""
    rng = np.random.default_rng(0)
    for height, width in ((201, 333), (640, 480), (24, 24), (30, 17)):
        image = rng.integers(0, 256, (height, width, 3), "uint8")
        pixels = np.full((height, width, 4), 255, "uint8")
        pixels[..., order] = image
        (folder / "in").write_bytes(pixels.tobytes())
        paths = folder / "in", folder / "out"
        run(*command, *paths, width, height, 24, 24)
        found = np.frombuffer((folder / "out").read_bytes(), "uint8")
        expected = centre(resized(image, 24), (24, 24))
        np.testing.assert_array_equal(found, expected.ravel())


def test_the_android_app_compiles_and_shrinks_as_training_does(tmp_path):
    need("java", "kotlinc")
    jar = tmp_path / "app.jar"
    sources = [*(SAMPLES / "android").glob("*.kt"), *STUBS.glob("*.kt")]
    run("kotlinc", "-Werror", *sources, "-include-runtime", "-d", jar)
    check_centre(tmp_path, [1, 2, 3], "java", "-cp", jar, "RunKt")


def test_the_ios_app_shrinks_as_training_does(tmp_path):
    need("swiftc")
    main = tmp_path / "main.swift"
    main.write_text(SWIFT_MAIN)
    app = tmp_path / "app"
    run("swiftc", "-O", SAMPLES / "ios" / "Resample.swift", main, "-o", app)
    check_centre(tmp_path, [0, 1, 2], app)
