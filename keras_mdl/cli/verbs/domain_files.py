"""`keras-mdl save-domain`, `load-domain`, `remove-domain`."""

import pathlib

from keras_mdl.cli import flags, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved


@outputs.writes_file
def save_domain(
    model: flags.Model,
    *,
    domain: str,
    out: flags.DomainOut,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Save one domain's slot alone: a small file, bound to its trunk by a hash.

    Args:
        domain: to save
    """
    saved = open_saved(model)
    saved.domain(domain)
    loaded = saved.load()
    outputs.keep(out, overwrite, lambda p: loaded.save_domain(domain, p))
    digests = loaded.fingerprint()
    size, whole = out.stat().st_size, model.stat().st_size
    console.say(
        f"{domain}: {size / 1024:,.0f} KiB (the whole model: "
        f"{whole / 1024:,.0f} KiB)"
    )
    return {
        "file": str(out),
        "domain": domain,
        "bytes": size,
        "model_bytes": whole,
        "trunk": digests["trunk"],
        "fingerprint": digests[f"domains/{domain}"],
    }


@outputs.writes_file
def load_domain(
    model: flags.Model,
    *,
    domain_file: pathlib.Path,
    out: flags.ModelOut,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Add a saved domain to the network whose trunk it was trained on.

    The trunk's hash is in the domain's file: another trunk is refused.

    Args:
        domain_file: NAME.safetensors, as save-domain wrote it
    """
    import safetensors

    saved = open_saved(model)
    try:
        with safetensors.safe_open(domain_file, framework="numpy"):
            pass
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            f"{domain_file} is not a complete domain file: {error}"
        ) from error
    loaded = saved.load()
    with bad_input():
        wider = loaded.load_domain(domain_file)
    (added,) = [name for name in wider if name not in loaded]
    result = {"added": added}
    step = {"step": f"{added} loaded"}
    return _changed(loaded, wider, out, overwrite, console, step, result)


@outputs.writes_file
def remove_domain(
    model: flags.Model,
    *,
    domain: str,
    out: flags.ModelOut,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Remove a domain from a network; the rest stays bit-identical.

    Args:
        domain: to remove
    """
    saved = open_saved(model)
    saved.domain(domain)
    if len(saved.domains) == 1:
        raise InputError(
            f"{domain!r} is the only domain of {model}: a model needs one"
        )
    loaded = saved.load()
    with bad_input():
        narrower = loaded.without_domain(domain)
    result = {"removed": domain}
    step = {"step": f"{domain} removed", "removed": [f"domains/{domain}"]}
    return _changed(loaded, narrower, out, overwrite, console, step, result)


def _changed(before, after, out, overwrite, console, step, result):
    from keras_mdl.runs.isolation import IsolationTable

    isolation = IsolationTable()
    isolation.record("before", before.fingerprint())
    isolation.record(fingerprint=after.fingerprint(), **step)
    outputs.save_model(after, out, isolation, overwrite)
    console.say(f"{after.summary_by_domain()}\n\n{isolation}")
    return {
        "model": str(out),
        **result,
        "domains": list(after),
        "parameters": after.summary_by_domain().to_dicts(),
        "fingerprint": after.fingerprint(),
        "isolated": isolation.isolated,
        "isolation": isolation.to_dicts(),
    }
