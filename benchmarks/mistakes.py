"""Natural mistakes on the command line, and what each is told.

    python benchmarks/mistakes.py [--only TEXT]

Rows go to `results/mistakes.csv`: what was wrong, the command, its status, the
seconds until it ended, and the message. `tests/cli/test_cli_bad_input.py` runs
the same commands and wants status 2, one line and no file.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = pathlib.Path(__file__).parent
COLOURS = {"blue": (30, 40, 220), "green": (20, 200, 40), "red": (210, 30, 30)}
SHADES = {"dark": (40, 40, 40), "light": (210, 210, 210)}
TRAIN = "train --data photos/colours --out m.keras "
ADD = "add-domain base.keras --data photos/shades --out m.keras "

# What is wrong, the command, and words that the message must have.
MISTAKES = (
    ("no command", "", "COMMAND is missing"),
    ("misspelt command", "trian --data photos/colours", "train"),
    ("no images named", "train --out m.keras", "required: --data"),
    ("no output named", "train --data photos/colours", "required: --out"),
    ("misspelt folder", "train --data fotos/colours --out m.keras",
     "fotos/colours is not there"),
    ("file in place of a folder", "train --data notes.txt --out m.keras",
     "notes.txt is a file"),
    ("folder of several domains", "train --data sets --out m.keras",
     "sets"),
    ("class without images", "train --data photos/empty --out m.keras", "a"),
    ("one class only", "train --data photos/one --out m.keras",
     "at least two"),
    ("unreadable image", "train --data photos/broken --out m.keras",
     "--on-bad-image skip"),
    ("misspelt embedded domain", "train --data embedded:shape --out m.keras",
     "'shapes'"),
    ("a kind of data without a name", "train --data tfds: --out m.keras",
     "tfds:NAME"),
    ("output without suffix", "train --data photos/colours --out model",
     "ends in .keras"),
    ("output exists", "train --data photos/colours --out taken.keras",
     "--overwrite"),
    ("output in a folder that is not there",
     "train --data photos/colours --out new/m.keras", "does not exist: new"),
    ("output where nothing can be written",
     "train --data photos/colours --out /proc/m.keras",
     "Nothing can be written"),
    ("output is a folder", "train --data photos/colours --out folder.keras",
     "which is a folder"),
    ("a training that was interrupted, forgotten",
     "train --data photos/colours --out half.keras", "--resume"),
    ("no epochs", TRAIN + "--epochs 0", "a whole number from 1 on"),
    ("negative epochs", TRAIN + "--epochs -3", "a whole number from 1 on"),
    ("decimal comma", TRAIN + "--learning-rate 0,01", "a number above 0"),
    ("value missing", TRAIN + "--learning-rate",
     "--learning-rate needs a value"),
    ("word for a number", TRAIN + "--batch-size ten",
     "a whole number from 1 on"),
    ("negative seed", TRAIN + "--seed -1", "a whole number from 0 on"),
    ("dropout of 1", TRAIN + "--dropout 1", "a number in [0, 1)"),
    ("balance above 1", TRAIN + "--balance 2", "a number in [0, 1]"),
    ("misspelt flag", TRAIN + "--epoch 3", "--epochs"),
    ("flag twice", TRAIN + "--seed 1 --seed 2", "--seed"),
    ("16 bits of which kind", TRAIN + "--precision float16",
     "mixed_float16"),
    ("unknown backend", TRAIN + "--backend torch", "tensorflow"),
    ("domain name with a space", TRAIN + "--domain 'my colours'",
     "letters, digits"),
    ("flag for other data",
     "train --data embedded:digits --out m.keras --on-bad-image skip",
     "--on-bad-image does not apply"),
    ("no such settings file", TRAIN + "--config no.yaml", "no.yaml"),
    ("settings file of something else", TRAIN + "--config notes.txt",
     "notes.txt"),
    ("misspelt recipe", TRAIN + "--recipe quick", "quick-base"),
    ("misspelt network", TRAIN + "--network resnet50", "resnet26"),
    ("size that does not fit", TRAIN + "--size 20", "in --size must be"),
    ("no model named", "add-domain --data photos/shades --out m.keras",
     "required: MODEL"),
    ("model that is not there",
     "add-domain bse.keras --data photos/shades --out m.keras",
     "No such file: bse.keras"),
    ("misspelt pretrained network",
     "add-domain efficientnet_lite --data photos/shades --out m.keras",
     "efficientnet_lite0"),
    ("plain Keras model",
     "add-domain plain.keras --data photos/shades --out m.keras",
     "from_keras"),
    ("damaged model",
     "add-domain cut.keras --data photos/shades --out m.keras",
     "not a complete .keras file"),
    ("exported folder in place of a model",
     "add-domain phone --data photos/shades --out m.keras", "keras-mdl export"),
    ("images in place of a model",
     "add-domain photos/colours --data photos/shades --out m.keras",
     "photos/colours is a folder"),
    ("domain that is there already",
     "add-domain base.keras --data photos/colours --out m.keras", "--name"),
    ("start from an unknown domain", ADD + "--init-from color", "'colours'"),
    ("misspelt method", ADD + "--method individul", "individual"),
    ("picture missing", "predict base.keras --domain colours",
     "required: IMAGE"),
    ("picture that is not there", "predict base.keras red.png --domain colours",
     "red.png"),
    ("picture that is none", "predict base.keras notes.txt --domain colours",
     "Cannot read the image notes.txt"),
    ("misspelt domain", "predict base.keras picture.png --domain color",
     "'colours'"),
    ("images of a domain that is not there",
     "evaluate base.keras --data photos/shades", "NAME=SPEC"),
    ("images with other classes",
     "evaluate base.keras --data colours=photos/shades", "other classes"),
    ("misspelt split",
     "evaluate base.keras --data photos/colours --split tset", "validation"),
    ("report as PDF",
     "evaluate base.keras --data photos/colours --report page.pdf",
     "ends in .html"),
    ("only domain removed",
     "remove-domain base.keras --domain colours --out m.keras",
     "only domain"),
    ("export over other files",
     "export base.keras --data photos/colours --out photos", "photos"),
    ("comparison without a file", "compare no.yaml --out runs", "no.yaml"),
    ("comparison of images that are not there",
     "compare compare.yaml --out runs", "fotos"),
    ("picture of a kind that is not made",
     "find-rate --data photos/colours --out rate.jpg", "ends in .png"),
)  # fmt: skip


def prepare(folder):
    """Makes the folder that the commands are given in, but for base.keras."""
    photos = folder / "photos"
    pictures(photos / "colours", COLOURS)
    pictures(photos / "shades", SHADES)
    pictures(folder / "sets" / "colours" / "train", COLOURS)
    pictures(folder / "sets" / "shades" / "train", SHADES)
    pictures(photos / "one", {"red": COLOURS["red"]})
    for name in ("empty", "broken"):
        pictures(photos / name, {"b": COLOURS["red"], "c": COLOURS["blue"]})
        (photos / name / "a").mkdir()
    (photos / "broken" / "a" / "0.png").write_text("no picture")
    for name, text in (
        ("notes.txt", "nothing: [here"),
        ("taken.keras", "precious"),
        ("half.keras.resume.npz", "of an hour ago"),
        ("phone/manifest.json", "{}"),
        ("compare.yaml", "base: fotos/colours\ndomains: [photos/shades]"),
    ):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "folder.keras").mkdir()
    with zipfile.ZipFile(folder / "plain.keras", "w") as archive:
        archive.writestr("config.json", '{"class_name": "Sequential"}')
    whole = (folder / "plain.keras").read_bytes()
    (folder / "cut.keras").write_bytes(whole[: len(whole) // 2])
    picture = photos / "colours" / "red" / "0.png"
    (folder / "picture.png").write_bytes(picture.read_bytes())


def pictures(folder, colours):
    """Twelve noisy pictures of each colour, in class folders."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.normal(colour, 20, (20, 24, 3))
            picture = Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))
            picture.save(folder / name / f"{i}.png")


def run(command, folder, everything=False):
    """`(status, seconds, message or everything said)` of a command."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "keras_mdl", *shlex.split(command)],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    text = done.stdout + done.stderr if everything else done.stderr
    text = text.replace(f"{folder}/", "")  # where that is, is no matter
    return done.returncode, seconds, text.strip()


def main():
    import stored
    from environment import environment

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    rows, columns = [], environment()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(folder)
        status, _, text = run(
            "train --data photos/colours --width 0.0625 --size 16 --epochs 1 "
            "--out base.keras",
            folder,
        )
        if status:
            raise RuntimeError(text)
        for what, command, _ in MISTAKES:
            if only in what:
                status, seconds, message = run(command, folder)
                print(f"{status} {seconds:5.2f} {what}: {message}", flush=True)
                rows.append(
                    {
                        "what": what,
                        "command": command,
                        "status": status,
                        "seconds": f"{seconds:.2f}",
                        "message": message,
                        **columns,
                    }
                )
    if not only:
        path = stored.RESULTS / "mistakes.csv"
        path.unlink(missing_ok=True)
        stored.append(path, rows)


if __name__ == "__main__":
    main()
