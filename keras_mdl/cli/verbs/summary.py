"""`keras-mdl summary`."""

from keras_mdl.cli import flags
from keras_mdl.cli.saved import open_saved

_SHOWN = 6


def summary(model: flags.Model, *, console: flags.Shown):
    """What a saved network shares, and what each domain costs."""
    loaded = open_saved(model).load()
    config = loaded.get_config()
    shape = "x".join(str(n or "any") for n in config["input_shape"])
    console.say(
        f"{model}: {loaded.name}, images {shape} {config['input_dtype']}\n"
    )
    for name, domain in loaded.domains.items():
        more = ", ..." if domain.num_classes > _SHOWN else ""
        console.say(
            f"{name}: {domain.num_classes} classes "
            f"({', '.join(domain.classes[:_SHOWN])}{more})"
        )
    rows = loaded.summary_by_domain()
    digests = loaded.fingerprint()
    console.say(f"\n{rows}\n\ntrunk {digests['trunk']}")
    return {
        "model": str(model),
        "network": loaded.name,
        "input_shape": config["input_shape"],
        "input_dtype": config["input_dtype"],
        "domains": [d.to_config() for d in loaded.domains.values()],
        "parameters": rows.to_dicts(),
        "fingerprint": digests,
    }
