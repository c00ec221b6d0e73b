"""The demo's story: a base, further domains, the proofs, the files."""

import functools
import math
import pathlib
import shutil
import time

import keras
import numpy as np

from keras_mdl.data import embedded
from keras_mdl.models import load_model
from keras_mdl.report.contents import Contents, DomainFacts, Sample
from keras_mdl.runs import fitting
from keras_mdl.runs.demo_settings import DemoSettings
from keras_mdl.runs.engine import Job, result_of
from keras_mdl.runs.environment import describe_environment
from keras_mdl.runs.executors import open_engine
from keras_mdl.runs.exporting import export_with_data, require_export
from keras_mdl.runs.isolation import IsolationTable
from keras_mdl.runs.networks import build_network
from keras_mdl.runs.soft_sharing import share
from keras_mdl.training import get_method, get_recipe

BASE = "base"  # the method's name in the base domain's rows
OTHERS = "keras_mdl.runs.demo_story:train_other"  # the task of the jobs
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
        """
        s, own = self.settings, self.folder / "others"
        keras.utils.set_random_seed(s.seed)
        self.load_data()
        self.train_base()
        jobs = self.other_jobs(own)
        # A small network keeps one core busy, not two: in a process of their
        # own the other methods cost no time.
        with open_engine(own, slots=1) as engine:
            self.model.save(own / "base.keras")
            engine.start(jobs)
            self.say(
                "  (the other methods now train in a second process: "
                f"{', '.join(s.methods[1:])})"
            )
            for name in s.domains:
                self.add_domain(name)
            self.share_softly()
            self._heading("wait for the other methods")
            failures = engine.wait()
            if failures:
                raise RuntimeError("\n".join(map(str, failures)))
        for job in jobs:
            found = result_of(job, own)["result"]
            self.metrics += found["metrics"]
            self.history += found["history"]
        shutil.rmtree(own)
        self.isolation.record(
            "other methods compared", self.model.fingerprint()
        )
        self.save_and_reload()
        samples = self.evaluate()
        self.export()
        return self.contents(samples)

    def load_data(self):
        """The embedded domains."""
        s = self.settings
        for name in (s.base, *s.domains):
            data = embedded.load(name, size=s.size, seed=s.seed)
            self.data[name] = data
            self.say(
                f"  {name:<10} {data.domain.num_classes:>3} classes, "
                f"{data.size('train'):>5} training and "
                f"{data.size('validation'):>4} validation images"
            )

    def train_base(self):
        """Step 1: trunk and first slot, on the base domain."""
        s = self.settings
        self._heading(f"base domain {s.base!r}: everything trains")
        self.model = build_network(
            s.network, [self.data[s.base].domain], s.size, s.width
        )
        view = self.model.for_domain(s.base, phase="base")
        recipe = self._recipe("quick-base", s.base_epochs)
        self.fit(view, recipe, s.base, BASE)
        self.isolation.record(
            f"base {s.base} trained", self.model.fingerprint()
        )

    def add_domain(self, name):
        """Step 2: a slot for one more domain; trunk and others frozen."""
        method = get_method(self.settings.methods[0])
        self._heading(f"add {name!r}: its slot trains, the trunk is frozen")
        before = self.isolation.rows[-1].digests
        self.model, view = method.start(self.model, self.data[name].domain)
        own = f"domains/{name}"
        self.fit(view, self.domain_recipe(method), name, method.name)
        row = self.isolation.record(
            f"{name} added and trained", self.model.fingerprint(), [own]
        )
        same = sum(row.digests[p] == before[p] for p in before)
        self.say(
            f"  isolation: {same} of {len(before)} older parts bit-identical"
        )

    def share_softly(self):
        """Beside the model: one domain's filters mixed with the others'."""
        s = self.settings
        name = s.soft_target
        self._heading(
            f"soft sharing: {s.soft_layers} layers of {name!r} mix the filters "
            "of all domains; gates alone train"
        )
        recipe = self._recipe("quick-gate", s.soft_epochs)
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

    def other_jobs(self, folder):
        """`Job`s of the same domains by other methods, from the same base."""
        s = self.settings
        values = {"trunk": self.model.fingerprint(), "settings": s.to_dict()}
        return [
            Job(
                f"{domain}-{method}",
                OTHERS,
                {**values, "domain": domain, "method": method},
                {"logs": str(folder.parent)},
                group="others",
            )
            for domain in s.domains
            for method in s.methods[1:]
        ]

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
        for name in self.model:
            start = time.perf_counter()
            data = self.data[name]
            found = fitting.evaluate(self.model[name], data, self.settings.size)
            self.metrics.append(
                _row(
                    "reloaded",
                    name,
                    BASE if name == self.settings.base else method,
                    "validation",
                    found.accuracy,
                    found.loss,
                    None,
                    time.perf_counter() - start,
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
        report = export_with_data(
            self.model,
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

    def _recipe(self, name, epochs):
        s = self.settings
        return get_recipe(name).replace(
            epochs=epochs,
            batch_size=s.batch_size,
            learning_rate=s.learning_rate,
            weight_decay=s.weight_decay,
        )

    def domain_recipe(self, method):
        """The `Recipe` of a method on a further domain."""
        s = self.settings
        recipe = self._recipe("quick-domain", s.domain_epochs)
        if method.phase == "head":
            recipe = recipe.replace(learning_rate=s.head_learning_rate)
        return recipe.replace(phase=method.phase)

    def fit(self, view, recipe, domain, method):
        """Trains a view, and keeps what came of it."""
        logs = self.folder / "tensorboard" / f"{domain}-{method}"
        done = fitting.fit(
            view,
            recipe,
            self.data[domain],
            self.settings.size,
            seed=self.settings.seed,
            callbacks=[keras.callbacks.TensorBoard(logs, write_graph=False)],
            verbose=self.verbose,
        )
        self.history += [
            {"domain": domain, "method": method, **epoch}
            for epoch in done.history
        ]
        added = sum(math.prod(v.shape) for v in view.trainable_variables)
        for split, prefix in (("train", ""), ("validation", "val_")):
            self.metrics.append(
                _row(
                    "trained",
                    domain,
                    method,
                    split,
                    done.final[prefix + "accuracy"],
                    done.final[prefix + "loss"],
                    added,
                    done.seconds if split == "train" else None,
                )
            )

    def _heading(self, text):
        self.say(f"\n== {text}")


def train_other(job, folder):
    """One domain by one method, on a copy of the base; see `other_jobs`.

    Returns:
        `{"metrics": rows, "history": rows}`.
    """
    values = job.values
    domain, method = values["domain"], get_method(values["method"])
    settings = DemoSettings(**values["settings"])
    demo = Demo(settings, job.where["logs"], verbose=0)
    demo.data[domain] = embedded.load(
        domain, size=settings.size, seed=settings.seed
    )
    keras.utils.set_random_seed(settings.seed)
    base = _loaded(folder / "base.keras")
    _, view = method.start(base, demo.data[domain].domain)
    demo.fit(view, demo.domain_recipe(method), domain, method.name)
    return {"metrics": demo.metrics, "history": demo.history}


_loaded = functools.cache(load_model)


def _row(step, domain, method, split, accuracy, loss, added, seconds):
    return {
        "step": step,
        "domain": domain,
        "method": method,
        "split": split,
        "accuracy": round(accuracy, 6),
        "loss": round(loss, 6),
        "parameters_added": added,
        "seconds": None if seconds is None else round(seconds, 2),
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
