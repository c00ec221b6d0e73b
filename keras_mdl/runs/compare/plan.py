"""The jobs of a comparison: what each result depends on, and no more."""

import os
from dataclasses import replace

from keras_mdl.models.freezing import kept
from keras_mdl.runs.compare.rows import BASE
from keras_mdl.runs.compare.settings import RECIPE_VALUES
from keras_mdl.runs.data_entry import PretrainedBase
from keras_mdl.runs.engine import Job
from keras_mdl.runs.networks import WIDTH
from keras_mdl.training import get_method, get_recipe

PLAIN = "pointwise_sharing"  # the method whose slots gates mix
TRIAL = "keras_mdl.runs.compare.trial"


def jobs_of(settings):
    """The `Job`s of `CompareSettings`, the bases first."""
    entries = (settings.base, *settings.domains)
    data = {e.name: e.digest(settings.folder) for e in entries}
    bases = [_base_job(settings, seed, data) for seed in settings.seeds]
    jobs = []
    for base in bases:
        of_seed = [
            _domain_job(settings, base, entry, name, data)
            for entry in settings.domains
            for name in settings.methods
        ]
        plain = [j for j in of_seed if j.where["method"] == PLAIN]
        jobs += [_with_slots(job, plain) for job in of_seed]
    return bases + jobs


def base_recipe(settings):
    """The `Recipe` of the base, for as many epochs as it has."""
    recipe = get_recipe(settings.base_recipe).replace(phase="base")
    if settings.batch_size is not None:
        recipe = recipe.replace(batch_size=settings.batch_size)
    return recipe


def domain_recipe(settings, name):
    """The `Recipe` of one of the compared methods, likewise."""
    method, changes = settings.changes_of(name)
    values = {k: v for k, v in changes.items() if k in RECIPE_VALUES}
    if settings.batch_size is not None:
        values.setdefault("batch_size", settings.batch_size)
    if "weight_decay" in values:
        # Given by hand it holds for every domain.
        values["decays"] = {}
    if values.get("cosine"):
        values["drops"] = ()
    phase = get_method(method).phase
    if isinstance(settings.base, PretrainedBase):
        phase = kept(phase)
    phase = changes.get("phase", phase)
    if "gates" in changes:
        phase = changes.get("phase", "gate")
    return get_recipe(settings.recipe).replace(phase=phase, **values)


def _base_job(settings, seed, data):
    entry = settings.base
    if isinstance(entry, PretrainedBase):
        return Job(
            name=f"s{seed}-{entry.name}-{BASE}",
            task=f"{TRIAL}:open_base",
            values={
                "domain": entry.name,
                "network": settings.network,
                "size": settings.size,
                "seed": seed,
            },
            where=_where(settings, entry),
            like=((BASE,),),
        )
    return Job(
        name=f"s{seed}-{entry.name}-{BASE}",
        task=f"{TRIAL}:train_base",
        values={
            "domain": entry.name,
            "data": data[entry.name],
            "network": settings.network,
            "width": settings.width or WIDTH,
            "size": settings.size,
            "recipe": _plain(base_recipe(settings)),
            "epochs": settings.base_epochs,
            "seed": seed,
        },
        where=_where(settings, entry),
        like=((BASE,),),
    )


def _domain_job(settings, base, entry, name, data):
    method, changes = settings.changes_of(name)
    options = {k: v for k, v in changes.items() if k not in RECIPE_VALUES}
    length = {"images": settings.images, "epochs": settings.epochs}
    for key in ("images", "epochs"):
        if key in options:
            length = {key: options.pop(key)}
    seed = base.values["seed"]
    values = {
        "trunk": base.id,
        "domain": entry.name,
        "data": data[entry.name],
        "method": method,
        "recipe": _plain(domain_recipe(settings, name)),
        **length,
        "hold_out": settings.hold_out,
        "options": options or None,
        "seed": seed,
    }
    gates = "gates" in options
    return Job(
        name=f"s{seed}-{entry.name}-{name.replace(' ', '-')}",
        task=f"{TRIAL}:{'train_gates' if gates else 'train_method'}",
        values={k: v for k, v in values.items() if v is not None},
        where={
            **_where(settings, entry),
            "method": name,
            "base": base.name,
            "size": settings.size,
        },
        after=(base.name,),
        group=f"s{seed}-{entry.name}{'-gates' * gates}",
        like=((entry.name, name), (name,), (entry.name,), ()),
    )


def _with_slots(job, plain):
    """A job that mixes slots depends on all of them, and waits for them."""
    if "gates" not in job.values.get("options", {}):
        return job
    names = [j.name for j in plain]
    return replace(
        job,
        values={**job.values, "slots": [j.id for j in plain]},
        where={**job.where, "slots": names},
        after=(*job.after, *names),
    )


def _where(settings, entry):
    return {
        "data": entry.to_dict(),
        "folder": os.path.abspath(settings.folder),
        "method": BASE,
        "tensorboard": settings.tensorboard,
    }


def _plain(recipe):
    """The recipe as JSON-able values; what it is called is no matter."""
    values = {
        k: dict(v) if k in ("decays", "dropouts") else v
        for k, v in vars(recipe).items()
        if k not in ("name", "note")
    }
    return {
        k: list(v) if isinstance(v, tuple) else v for k, v in values.items()
    }
