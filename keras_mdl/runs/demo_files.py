"""The files of a demo run, from first to last."""

from keras_mdl.files import write_text
from keras_mdl.report import write_report
from keras_mdl.report.text import summary_text
from keras_mdl.runs.demo_story import Demo
from keras_mdl.runs.directory import run_directory
from keras_mdl.runs.records import write_csv, write_record


def run_demo(settings, out, overwrite=False, say=print, verbose=2):
    """Runs the demo and writes `out/<name>/`, completely or not at all.

    Args:
        settings: `DemoSettings`.
        out: Folder of the runs.
        overwrite: Whether a finished run of that name may be replaced.
        say: Function that shows a line of text.
        verbose: As for `keras.Model.fit`.

    Returns:
        `(path of the run, Contents of its report)`.

    Raises:
        FileExistsError: If the run exists and `overwrite` is false.
        IsolationError: If training one domain changed another.
    """
    path = out / settings.name
    with run_directory(path, overwrite) as folder:
        contents = Demo(settings, folder, say, verbose).run()
        write_csv(folder / "metrics.csv", contents.metrics)
        write_csv(folder / "history.csv", contents.history)
        write_csv(
            folder / "isolation.csv",
            [
                {
                    "step": row["step"],
                    "part": part,
                    "state": state,
                    "sha256": row["digests"].get(part, ""),
                }
                for row in contents.isolation
                for part, state in row["states"].items()
            ],
        )
        write_text(folder / "summary.txt", summary_text(contents))
        write_report(contents, folder / "report.html")
        write_record(
            folder / "config.yaml",
            "demo",
            {
                "name": settings.name,
                "seed": settings.seed,
                "quick": settings.quick,
            },
            command_line=contents.command,
            demo=settings.to_dict(),
        )
    return path, contents
