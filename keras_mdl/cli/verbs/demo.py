"""Train one network on five visual domains, in a few minutes on a CPU.

Needs no files and no network. Trains a base domain, adds further domains on
the frozen trunk, compares each with a classifier alone and with a network of
its own, checks after every step that no other domain changed by a bit,
exports all of them for a phone, and writes everything to OUT/NAME:
model.keras, domains/, export/, metrics.csv, history.csv, isolation.csv,
tensorboard/, config.yaml, summary.txt and report.html, which any browser
shows.
"""

import pathlib
import time

from keras_mdl.cli import options
from keras_mdl.cli.errors import bad_input
from keras_mdl.cli.heavy import quiet_import

HELP = "the whole story in a few minutes: train, add domains, prove, report"


def add_arguments(parser):
    """Flags of the command."""
    parser.add_argument(
        "--name", default="demo", help="of the run (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=pathlib.Path,
        default=pathlib.Path("runs"),
        metavar="DIR",
        help="folder of the runs (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=options.seed, default=0, metavar="N",
        help="of images, weights and order (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a minute: fewer domains, one epoch, tiny images; the results "
        "mean nothing",
    )
    options.add_overwrite(parser)


def run(args, console, parser):
    """Runs the command; returns the result for `--json`."""
    from keras_mdl.runs.demo_settings import DemoSettings, quick_settings
    from keras_mdl.runs.directory import check_run_name, check_run_path

    with bad_input():
        check_run_name(args.name)
        check_run_path(args.out / args.name, args.overwrite)
    make = quick_settings if args.quick else DemoSettings
    settings = make(name=args.name, seed=args.seed)
    start = time.perf_counter()
    console.say("loading the deep-learning backend ...")
    quiet_import()
    from keras_mdl.report.page import headline
    from keras_mdl.report.text import summary_text
    from keras_mdl.runs.demo_files import run_demo

    path, contents = run_demo(
        settings, args.out, args.overwrite, console.say, console.verbose
    )
    seconds = time.perf_counter() - start
    console.say("\n" + summary_text(contents))
    console.say(f"{path / 'report.html'}: the report, {seconds:.0f} s in all\n")
    console.say("next:")
    for line in _next_steps(path, settings):
        console.say(f"  {line}")
    return {
        "run": str(path),
        "report": str(path / "report.html"),
        "headline": headline(contents),
        "isolated": contents.isolated,
        "seconds": round(seconds, 1),
        "metrics": contents.metrics,
        "parameters": contents.parameters,
    }


def _next_steps(path, settings):
    model, domain = path / "model.keras", settings.domains[0]
    return (
        f"keras-mdl summary --model {model}",
        f"keras-mdl evaluate --model {model} --data embedded:{domain}",
        f"keras-mdl predict IMAGE.png --model {model} --domain {domain}",
        f"keras-mdl add-domain --model {model} --data YOUR/CLASS/FOLDERS "
        "--out mine.keras",
        f"tensorboard --logdir {path / 'tensorboard'}",
    )
