"""`keras-mdl demo`."""

import pathlib
import time
from typing import Literal

from keras_mdl.cli import backend, flags, outputs
from keras_mdl.cli.errors import bad_input


def demo(
    *,
    name: str = "demo",
    out: pathlib.Path = pathlib.Path("runs"),
    seed: flags.SeedInt = 0,
    network: Literal["efficientnet_lite0", "resnet26"] = "efficientnet_lite0",
    quick: flags.Switch = False,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Train one network on several visual domains, in minutes on a CPU.

    Needs no files and no network. Adds domains to a pretrained mobile network
    (or trains the paper's first: --network resnet26), compares each with a
    head alone (and on the paper's with a network of its own), checks
    after every step that no other domain changed by a bit, exports all of them
    for a phone, and writes everything to OUT/NAME: model.keras, domains/,
    export/, metrics.csv, history.csv, isolation.csv, tensorboard/, config.yaml,
    summary.txt and report.html, which any browser shows.

    Args:
        name: of the run
        out: folder of the runs
        seed: of images, weights and order
        network: pretrained, or the paper's, which is trained on a base domain
            first and mixes the filters of all domains at the end
        quick: a minute, with tiny images; the results mean nothing
    """
    from keras_mdl.runs.demo_settings import (
        DemoSettings,
        paper_settings,
        quick_settings,
    )
    from keras_mdl.runs.directory import check_run_name, check_run_path

    with bad_input():
        check_run_name(name)
        check_run_path(out / name, overwrite)
    make = DemoSettings if network == "efficientnet_lite0" else paper_settings
    make = quick_settings if quick else make
    settings = make(name=name, seed=seed)
    start = time.perf_counter()
    with outputs.reserved(out / name):
        console.say("loading the deep-learning backend ...")
        backend.load_backend()
        from keras_mdl.report.page import headline
        from keras_mdl.report.text import summary_text
        from keras_mdl.runs.demo_files import run_demo

        path, contents = run_demo(
            settings, out, overwrite, console.say, console.verbose
        )
    seconds = time.perf_counter() - start
    model = path / "model.keras"
    served = f"  keras-mdl serve {path / 'export'}\n"
    if not contents.export:
        served = ""
    console.say(
        f"\n{summary_text(contents)}\n"
        f"{path / 'report.html'}: the report, {seconds:.0f} s in all\n\n"
        "next:\n"
        f"  keras-mdl summary {model}\n"
        f"  keras-mdl evaluate {model} --data embedded:{settings.domains[0]}\n"
        f"  keras-mdl predict {model} IMAGE.png --domain "
        f"{settings.domains[0]}\n"
        f"  keras-mdl add-domain {model} --data YOUR/CLASS/FOLDERS "
        "--out mine.keras\n"
        f"{served}"
        f"  tensorboard --logdir {path / 'tensorboard'}"
    )
    return {
        "run": str(path),
        "report": str(path / "report.html"),
        "headline": headline(contents),
        "isolated": contents.isolated,
        "seconds": round(seconds, 1),
        "metrics": contents.metrics,
        "parameters": contents.parameters,
    }
