"""From a folder of photographs to an app's files, each command timed.

    python benchmarks/walk.py PHOTOS [--size 96]

PHOTOS holds a folder for each class. Rows go to `results/walk.csv`: what was
asked, the command, the seconds that it took, and what it said that matters.
"""

import argparse
import os
import pathlib
import re
import tempfile

import stored
from environment import environment
from mistakes import run

# What is asked, the command, and a pattern of the line that answers.
STEPS = (
    ("what is wrong with them, how long will it take?",
     "add-domain efficientnet_lite0 --size {size} --data {name} --check",
     r"about .*compile"),
    ("train a slot for them",
     "add-domain efficientnet_lite0 --size {size} --data {name} "
     "--out model.keras", r"compiled in .*"),
    ("which classes are confused?",
     "evaluate model.keras --data {name} --report report.html",
     r"accuracy.*|{name}.*%.*"),
    ("what is on these?",
     "predict model.keras {name} --domain {name} --csv found.csv",
     r"wrote .*|\d+ images.*"),
    ("files for an app",
     "export model.keras --data {name} --leave-out imagenet --out phone",
     r"wrote .*"),
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--size", default=96)
    args = parser.parse_args()
    name, columns, rows = args.photos.name, environment(), []
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(args.photos.resolve(), pathlib.Path(folder, name))
        for what, command, pattern in STEPS:
            command = command.format(size=args.size, name=name)
            status, seconds, text = run(command, folder, everything=True)
            print(f"--- {status} {seconds:.1f} {command}\n{text}", flush=True)
            found = re.findall(pattern.replace("{name}", name), text)
            rows.append(
                {
                    "what": what,
                    "command": command,
                    "status": status,
                    "seconds": f"{seconds:.1f}",
                    "said": found[-1] if found else "",
                    **columns,
                }
            )
    path = stored.RESULTS / "walk.csv"
    path.unlink(missing_ok=True)
    stored.append(path, rows)


if __name__ == "__main__":
    main()
