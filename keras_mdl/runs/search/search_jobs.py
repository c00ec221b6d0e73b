"""The jobs of a search run, and what they do in a worker."""

import gc
import os
import pathlib
from dataclasses import asdict

import keras

from keras_mdl.data import Preprocess, SetEpoch
from keras_mdl.data.joint import JointBatches, batch_at
from keras_mdl.files import remove_leftovers
from keras_mdl.models.backbones.multi_path import path_options
from keras_mdl.runs import fitting
from keras_mdl.runs.data_entry import DataEntry, without_validation
from keras_mdl.runs.engine import Job, result_of
from keras_mdl.runs.environment import describe_environment
from keras_mdl.runs.isolation import IsolationTable
from keras_mdl.runs.records import ENVIRONMENT
from keras_mdl.runs.saving import save_checked
from keras_mdl.runs.search.kept_images import kept
from keras_mdl.search import (
    FoundPaths,
    Search,
    SearchPlan,
    SearchSpace,
    path_cost,
)
from keras_mdl.training import get_balancing

HERE = "keras_mdl.runs.search.search_jobs"
_EPOCH = 50  # steps; the state of a training is kept after each


def jobs_of(settings):
    """The `Job`s of `SearchSettings`: searches, then trainings."""
    data = {e.name: e.digest(settings.folder) for e in settings.domains}
    jobs = []
    for seed in settings.seeds:
        for method in settings.methods:
            for names in _units(settings, method):
                jobs += _jobs_of_unit(settings, method, seed, names, data)
    return jobs


def _units(settings, method):
    """The lists of domains that a method handles apart."""
    names = [e.name for e in settings.domains]
    alone = settings.kind_of(method) == "independent"
    return [[n] for n in names] if alone else [names]


def _jobs_of_unit(settings, method, seed, names, data):
    plan, kind = settings.plan_of(method, seed), settings.kind_of(method)
    group = f"s{seed}-{method}"
    label = group + (f"-{names[0]}" if len(names) == 1 else "")
    entries = [e for e in settings.domains if e.name in names]
    where = {
        "domains": [e.to_dict() for e in entries],
        "folder": os.path.abspath(settings.folder),
        "method": method,
        "tensorboard": settings.tensorboard,
    }
    values = {
        "space": settings.search_space.to_dict(),
        "data": {n: data[n] for n in names},
        "seed": seed,
    }
    train = {
        **values,
        "training": asdict(settings.training),
        "balancing": plan.balancing,
    }
    if kind == "single_path":
        train["base"] = settings.base or names[0]
        return [
            Job(f"{label}-train", f"{HERE}:train_single_path", train, where,
                like=(("train", kind),))
        ]  # fmt: skip
    search = Job(
        f"{label}-search",
        f"{HERE}:find_paths",
        {**values, "plan": plan.to_dict(), "hold_out": settings.hold_out},
        where,
        group=f"{group}-search",
        like=(("search", kind, plan.controllers), ("search", kind)),
    )
    return [
        search,
        Job(
            f"{label}-train",
            f"{HERE}:train_union",
            {**train, "search": search.id},
            {**where, "search": asdict(search)},
            after=(search.name,),
            group=f"{group}-train",
            like=(("train", kind),),
        ),
    ]


def find_paths(job, folder):
    """Searches; goes on from its state if it was stopped.

    Returns:
        `paths` (`{domain: choices}`) and `history` (every few steps).
    """
    values = job.values
    space, plan = SearchSpace(**values["space"]), SearchPlan(**values["plan"])
    loaded = _loaded(job, folder)
    options = {"preprocess": Preprocess.default(space.size), "training": True}
    batches, domains = {}, []
    for name, data in loaded.items():
        split = without_validation(data, values["hold_out"])
        if not split.size("validation"):
            raise ValueError(
                f"The domain {name!r} has {data.size('train')} training images "
                f"and no {values['hold_out']}-th to hold out for its "
                "controller: give a smaller `hold_out`"
            )
        size = plan.batch_size
        loaders = (
            split.batches("train", size, seed=plan.seed, **options),
            split.batches(
                "validation",
                plan.held_out_batch or 4 * size,
                seed=plan.seed,
                **options,
            ),
        )
        batches[name] = tuple(_reader(x) for x in loaders)
        domains.append(data.domain)
    search = Search(space, domains, batches, plan)
    writer = _writer(job, folder)

    def tell(rows):
        step = search.step
        if step % 25 == 0 and rows:
            mean = sum(r["reward"] for r in rows) / len(rows)
            print(f"step {step}/{plan.steps}: mean reward {mean:.4f}")
        for r in rows if writer else ():
            for key in ("loss", "accuracy", "cost", "reward", "entropy"):
                writer.add_scalar(f"{r['domain']}/{key}", r[key], step)

    state = _state(job, folder).with_suffix(".npz")
    remove_leftovers(state)
    found = search.run(state, tell=tell)
    if writer:
        writer.close()
    target = _beside(folder, "paths", f"{job.name}.json")
    found.write(target)
    return {
        "paths": {d: list(c) for d, c in found.choices.items()},
        "history": [r for r in found.history if r["step"] % 5 == 0],
        **found.describe(),
        "traces": search.network.traces,
    }


def train_union(job, folder):
    """Trains what a search found, all its domains together.

    Returns:
        `rows`, one a domain.
    """
    search = Job(**job.where["search"])
    paths = result_of(search, folder)["result"]["paths"]
    found = FoundPaths(SearchSpace(**job.values["space"]), paths)
    loaded = _loaded(job, folder)
    keras.utils.set_random_seed(job.values["seed"])
    model = found.build(
        [x.domain for x in loaded.values()],
        momentum=job.values["training"]["momentum"],
    )
    _fit(job, folder, model.joint(phase="base"), loaded)
    return _result(job, folder, model, found.paths, loaded)


def train_single_path(job, folder):
    """The baseline: the space's middle path trained on one domain, then a
    classifier for each of the others on its frozen features."""
    values, loaded = job.values, _loaded(job, folder)
    space, base = SearchSpace(**values["space"]), values["base"]
    blocks = space.blocks(space.middle())
    keras.utils.set_random_seed(values["seed"])
    model = FoundPaths(space, {base: space.middle()}).build(
        [loaded[base].domain],
        shared=[b.name for b in blocks],
        momentum=values["training"]["momentum"],
    )
    _fit(job, folder, model.joint([base], "base"), loaded)
    for name, data in loaded.items():
        if name != base:
            model = model.with_domain(
                data.domain, init_from=base, options=path_options(blocks)
            )
            _fit(job, folder, model.joint([name], "head"), loaded)
    return _result(job, folder, model, dict.fromkeys(loaded, blocks), loaded)


def _fit(job, folder, view, loaded):
    training, seed = job.values["training"], job.values["seed"]
    epochs = max(1, round(training["steps"] / _EPOCH))
    steps = min(_EPOCH, training["steps"])
    size = job.values["space"]["size"]
    batches = JointBatches(
        {
            d: loaded[d].batches(
                "train",
                training["batch_size"],
                Preprocess.default(size),
                training=True,
                seed=seed,
            )
            for d in view.domains
        },
        steps,
    )
    rate = keras.optimizers.schedules.CosineDecay(
        training["learning_rate"], epochs * steps
    )
    rule = job.values["balancing"]
    view.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        balancing=None if rule == "equal" else get_balancing(rule),
    )
    label = "-".join(view.domains) if len(view.domains) == 1 else "all"
    state = _state(job, folder).with_name(f"{job.name}-{label}")
    callbacks = [
        keras.callbacks.BackupAndRestore(state, save_freq="epoch"),
        SetEpoch(batches),
    ]
    if job.where.get("tensorboard"):
        logs = pathlib.Path(folder, "tensorboard", f"{job.name}-{label}")
        callbacks.append(keras.callbacks.TensorBoard(logs, write_graph=False))
    view.fit(
        batches, epochs=epochs, shuffle=False, verbose=2, callbacks=callbacks
    )


def _result(job, folder, model, paths, loaded):
    path = _beside(folder, "models", f"{job.name}.keras")
    isolation = IsolationTable()
    isolation.record("trained", model.fingerprint())
    save_checked(model, path, isolation)
    costs = {r.owner: r for r in model.summary_by_domain().rows}
    found, size = describe_environment(), job.values["space"]["size"]
    rows, union = [], _union_bytes(paths, size)
    for name, data in loaded.items():
        own = costs[name]
        others = [b for d, b in paths.items() if d != name]
        rows.append(
            {
                "seed": job.values["seed"],
                "method": job.where["method"],
                "domain": name,
                "accuracy": round(
                    fitting.evaluate(model[name], data, size).accuracy, 6
                ),
                "classes": data.domain.num_classes,
                "train_images": data.size("train"),
                "validation_images": data.size("validation"),
                "macs": path_cost("macs", paths[name], size),
                "path_parameters": path_cost("parameters", paths[name], size),
                "own_parameters": own.parameters - own.head,
                "trunk_parameters": costs["trunk"].parameters,
                "path_bytes": path_cost("bytes", paths[name], size),
                "added_bytes": path_cost(
                    "union_bytes", paths[name], size, others
                ),
                "union_bytes": union,
                **{key: found.get(key, "") for key in ENVIRONMENT},
            }
        )
    keras.backend.clear_session()
    gc.collect()
    return {"rows": rows, "union_bytes": union}


def _union_bytes(paths, size):
    """Of one export of all domains: shared kernels once."""
    total, there = 0, []
    for blocks in paths.values():
        total += path_cost("union_bytes", blocks, size, there)
        there.append(blocks)
    return total


def _loaded(job, folder):
    """`{domain: DomainData}`, as they were when the job was planned."""
    where, found = job.where, {}
    for config in where["domains"]:
        entry = DataEntry.of(config)
        entry.require_digest(where["folder"], job.values["data"][entry.name])
        found[entry.name] = kept(
            entry,
            job.values["data"][entry.name],
            where["folder"],
            job.values["space"]["size"],
            folder,
        )
    return found


def _reader(loader):
    return lambda step, size: batch_at(loader, step, size)


def _writer(job, folder):
    if not job.where.get("tensorboard"):
        return None
    from tensorboard.summary import Writer

    return Writer(str(pathlib.Path(folder, "tensorboard", job.name)))


def _state(job, folder):
    return _beside(folder, "state", f"{job.name}-{job.id}")


def _beside(folder, kind, name):
    path = pathlib.Path(folder, kind, name)
    path.parent.mkdir(exist_ok=True)
    return path
