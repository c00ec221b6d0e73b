"""The demo's story: a base, further domains, the proofs, the files."""

import os
import pathlib
import shutil
import time

import keras
import numpy as np

from keras_mdl.data import embedded
from keras_mdl.models import load_model
from keras_mdl.report.contents import Contents, DomainFacts, Sample
from keras_mdl.runs import fitting
from keras_mdl.runs.compare.plan import jobs_of
from keras_mdl.runs.compare.rows import BASE
from keras_mdl.runs.compare.run import train_all
from keras_mdl.runs.compare.settings import CompareSettings
from keras_mdl.runs.compare.trial import base_path, slot_path
from keras_mdl.runs.data_entry import DataEntry, PretrainedBase
from keras_mdl.runs.engine import result_of
from keras_mdl.runs.environment import describe_environment
from keras_mdl.runs.executors import open_engine
from keras_mdl.runs.exporting import export_with_data, require_export
from keras_mdl.runs.isolation import IsolationTable
from keras_mdl.runs.soft_sharing import share
from keras_mdl.training import get_method, get_recipe

_SAMPLES = 10


class Demo:
    """One run of the demo, step by step; `run` does them all.

    Args:
        settings: `DemoSettings`.
        folder: Where TensorBoard logs, the model and the domains are written.
        say: Function that shows a line of text.
        verbose: As for `keras.Model.fit`.
    """

    def __init__(self, settings, folder, say=print, verbose=2):
        self.settings = settings
        self.folder = pathlib.Path(folder)
        self.say = say
        self.verbose = verbose
        self.isolation = IsolationTable()
        self.metrics = []
        self.history = []
        self.data = {}
        self.model = None
        self.soft_sharing = None
        self.exported = None

    def run(self):
        """Trains, adds, checks, saves.

        Returns:
            The `Contents` of the report.

        Raises:
            IsolationError: If a step changed a part that it must not change.
            RuntimeError: If a training failed.
        """
        keras.utils.set_random_seed(self.settings.seed)
        self.load_data()
        work = self.folder / "work"
        jobs = self.train(work)
        self._heading("one model of them: the base, and a slot for each domain")
        self.model = load_model(base_path(work, jobs[0].name))
        self.isolation.record(
            f"base {self.settings.base} ready", self.model.fingerprint()
        )
        for job in jobs[1:]:
            if job.where["method"] == self.settings.methods[0]:
                self.add_domain(job.values["domain"], slot_path(work, job.name))
        os.replace(work / "tensorboard", self.folder / "tensorboard")
        shutil.rmtree(work)
        if self.settings.soft_target:
            self.share_softly()
        self.save_and_reload()
        samples = self.evaluate()
        self.export()
        return self.contents(samples)

    def load_data(self):
        """The embedded domains."""
        s = self.settings
        for name in (*(() if s.pretrained else (s.base,)), *s.domains):
            data = embedded.load(name, size=s.size)
            self.data[name] = data
            self.say(
                f"  {name:<10} {data.domain.num_classes:>3} classes, "
                f"{data.size('train'):>5} training and "
                f"{data.size('validation'):>4} validation images"
            )

    def train(self, work):
        """Step 1: the base; from it each domain by each method.

        Every training has its own copy of the base, and proves that it left
        the trunk and the base's slot as they were, bit for bit.

        Args:
            work: Folder for what has been trained.

        Returns:
            The jobs, the base's first.
        """
        s = self.settings
        base = f"base domain {s.base!r}: everything trains"
        if s.pretrained:
            base = f"{s.network}, trained on {s.base!r} by others"
        self._heading(
            f"{base}; then each domain by {', '.join(s.methods)}, the trunk "
            "frozen where it is shared"
        )
        jobs = jobs_of(comparison_of(s))
        with open_engine(work) as engine:
            _, failures = train_all(engine, jobs, self.say)
        if failures:
            raise RuntimeError("\n".join(map(str, failures)))
        for job in jobs[1:] if s.pretrained else jobs:
            self._keep(result_of(job, work)["result"])
        return jobs

    def add_domain(self, name, path):
        """Step 2: the slot of one more domain, beside the others."""
        before = self.isolation.rows[-1].digests
        self.model = self.model.load_domain(path)
        row = self.isolation.record(f"{name} added", self.model.fingerprint())
        same = sum(row.digests[p] == before[p] for p in before)
        self.say(f"  {name}: {same} of {len(before)} older parts bit-identical")

    def share_softly(self):
        """Beside the model: one domain's filters mixed with the others'."""
        s = self.settings
        name = s.soft_target
        self._heading(
            f"soft sharing: {s.soft_layers} layers of {name!r} mix the filters "
            "of all domains; gates alone train"
        )
        recipe = get_recipe("quick-gate").replace(
            epochs=s.soft_epochs,
            batch_size=s.batch_size,
            learning_rate=s.learning_rate,
            weight_decay=s.weight_decay,
        )
        found = share(
            self.model,
            self.data[name],
            recipe,
            s.size,
            s.soft_layers,
            own_weight=0.9,
            seed=s.seed,
            verbose=self.verbose,
        )
        self.say(str(found))
        self.soft_sharing = found.to_dict()
        own = f"domains/{name}"
        for step, model in (
            (f"gates of {name} trained", found.gated),
            ("without the gates again", self.model),
        ):
            self.isolation.record(step, model.fingerprint(), [own])

    def save_and_reload(self):
        """Step 3: files, and the same bits from them."""
        self._heading("save, load again, evaluate what was loaded")
        path = self.folder / "model.keras"
        self.model.save(path)
        domains = self.folder / "domains"
        domains.mkdir()
        for name in self.model:
            self.model.save_domain(name, domains / f"{name}.safetensors")
        self.model = load_model(path)
        self.isolation.record("saved and loaded", self.model.fingerprint())

    def evaluate(self):
        """Every domain of the loaded model, on its validation images."""
        samples, method = {}, self.settings.methods[0]
        for name in self.data:
            start = time.perf_counter()
            data = self.data[name]
            found = fitting.evaluate(self.model[name], data, self.settings.size)
            self.metrics.append(
                _metric(
                    "reloaded",
                    name,
                    BASE if name == self.settings.base else method,
                    "validation",
                    (found.accuracy, found.loss),
                    seconds=round(time.perf_counter() - start, 2),
                )
            )
            self.say(f"  {name:<10} accuracy {found.accuracy:.3f}")
            samples[name] = _samples(data, found)
        return samples

    def export(self):
        """Step 4: files for a phone, if the extra for it is installed."""
        self._heading("export: a file per domain, one trunk in all of them")
        try:
            require_export()
        except RuntimeError as missing:
            self.say(f"  left out: {missing}")
            return
        model = self.model
        if self.settings.pretrained:
            model = model.without_domain(self.settings.base)
        report = export_with_data(
            model,
            self.data,
            self.folder / "export",
            self.settings.size,
            max_accuracy_drop=self.settings.max_accuracy_drop,
            say=self.say,
        )
        self.say(f"\n{report}")
        # (The folder is not in its place yet.)
        self.exported = {
            k: v for k, v in report.to_dict().items() if k != "folder"
        }

    def contents(self, samples):
        """What the report shows."""
        s = self.settings
        return Contents(
            title=f"One network, {len(self.data)} visual domains",
            base=s.base,
            domains=[
                DomainFacts(
                    name,
                    data.domain.num_classes,
                    data.size("train"),
                    data.size("validation"),
                    data.provenance,
                )
                for name, data in self.data.items()
            ],
            metrics=self.metrics,
            history=self.history,
            isolation=self.isolation.to_dicts(),
            parameters=self.model.summary_by_domain().to_dicts(),
            samples=samples,
            soft_sharing=self.soft_sharing,
            export=self.exported,
            settings=s.to_dict(),
            environment=describe_environment(),
            command=s.command(),
        )

    def _keep(self, result):
        """What the report shows of a training."""
        about = {k: result[k] for k in ("domain", "method")}
        self.history += [{**about, **epoch} for epoch in result["history"]]
        last = result["history"][-1]
        for split, prefix in (("train", ""), ("validation", "val_")):
            self.metrics.append(
                _metric(
                    "trained",
                    *about.values(),
                    split,
                    [last[f"{prefix}{k}"] for k in ("accuracy", "loss")],
                    result["numbers_with_head"],
                    result["seconds"] if split == "train" else None,
                )
            )

    def _heading(self, text):
        self.say(f"\n== {text}")


def comparison_of(s):
    """What the demo trains, as `CompareSettings`."""
    changes = {
        "learning_rate": s.learning_rate,
        "weight_decay": s.weight_decay,
        "epochs": s.domain_epochs,
    }
    base = DataEntry.of(f"embedded:{s.base}")
    if s.pretrained:
        base = PretrainedBase()
    return CompareSettings(
        domains=[DataEntry.of(f"embedded:{d}") for d in s.domains],
        base=base,
        network=s.network,
        width=s.width,
        size=s.size,
        base_epochs=s.base_epochs,
        epochs=s.domain_epochs,
        methods=s.methods,
        overrides={
            method: {
                **changes,
                **(
                    {"learning_rate": s.head_learning_rate}
                    if get_method(method).phase == "head"
                    else {}
                ),
            }
            for method in s.methods
        },
        seeds=[s.seed],
        recipe="photo-domain" if s.pretrained else "quick-domain",
        batch_size=s.batch_size,
        tensorboard=True,
    )


def _metric(step, domain, method, split, measured, added=None, seconds=None):
    accuracy, loss = measured
    return {
        "step": step,
        "domain": domain,
        "method": method,
        "split": split,
        "accuracy": round(accuracy, 6),
        "loss": round(loss, 6),
        "parameters_added": added,
        "seconds": seconds,
    }


def _samples(data, found):
    """Validation images from all over the classes, not chosen by outcome."""
    order = np.argsort(found.labels, kind="stable")
    spread = np.linspace(0, len(order) - 1, _SAMPLES).round().astype(int)
    classes, images = data.domain.classes, data.images("validation")
    return [
        Sample(
            np.asarray(images[int(i)]),
            classes[int(found.predicted[i])],
            classes[int(found.labels[i])],
        )
        for i in order[np.unique(spread)]
    ]
