"""`render_card`: what a saved network is, as a Hugging Face model card."""

from keras_mdl.report.rendering import render
from keras_mdl.report.text import percent

_LISTED = 40  # classes that are named


def render_card(
    name: str,
    file: str,
    domains: dict,
    facts: dict,
    trunk: int | None = None,
    size: int | None = None,
    environment: dict | None = None,
    export: dict | None = None,
) -> str:
    """The card in Markdown, with the front matter that the Hub reads.

    The metadata are those of the Hub's specification of model cards
    (`library_name`, `pipeline_tag`, `tags`, `model-index`). There is no
    `license`: that is not ours to say.

    Args:
        name: What the network is called.
        file: Its file or folder.
        domains: `{domain: class names}`.
        facts: `{domain: facts}` of domains whose training is known; see
            `keras_mdl.cli.cards.facts_of`.
        trunk: Parameters of the trunk.
        size: Side of the images in pixels, `None` for any.
        environment: Versions and hardware.
        export: `ExportReport.to_dict()`, of an exported folder.
    """
    import yaml

    shown = [
        _domain(domain, classes, facts.get(domain))
        for domain, classes in domains.items()
    ]
    exported = {d["domain"]: d for d in export["domains"]} if export else {}
    results = [
        _result(d["name"], d["facts"], exported.get(d["name"]))
        for d in shown
        if d["name"] in exported or d["interval"]
    ]
    front = {
        "library_name": "keras" if export is None else "tflite",
        "pipeline_tag": "image-classification",
        "tags": ["keras_mdl", "multi-domain-learning", "image-classification"],
    }
    if results:
        front["model-index"] = [{"name": name, "results": results}]
    text = yaml.safe_dump(front, sort_keys=False, allow_unicode=True)
    parameters = "" if trunk is None else f" of {trunk:,} parameters"
    many = (
        "1 image domain" if len(shown) == 1 else f"{len(shown)} image domains"
    )
    return render(
        "card.md",
        front_matter=f"---\n{text}---",
        name=name,
        file=file,
        introduction=f"A network for {many}: a trunk{parameters} that all "
        "share, and a small private slot for each, its head included.",
        domains=shown,
        measured=any(d["interval"] for d in shown),
        size=size or "the chosen number of",
        environment=environment or {},
        export=export,
    )


def _domain(name, classes, facts):
    interval, accuracy = None, ""
    if facts and "val_accuracy" in facts["final"]:
        from scipy.stats import binomtest

        accuracy = facts["final"]["val_accuracy"]
        count = facts["images"]["validation"]
        counted = binomtest(round(accuracy * count), count)
        interval = counted.proportion_ci(method="wilson")
        low, high = (f"{100 * x:.0f}" for x in interval)
        accuracy = f"{percent(accuracy)} ({low} to {high})"
    return {
        "name": name,
        "classes": len(classes),
        "names": classes[:_LISTED],
        "more": max(len(classes) - _LISTED, 0),
        "facts": facts,
        "listed": list(facts["classes"].items())[:_LISTED] if facts else [],
        "interval": interval,
        "accuracy": accuracy,
    }


def _result(name, facts, exported):
    accuracy = (
        exported["accuracy"] if exported else facts["final"]["val_accuracy"]
    )
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": name, "type": name, "split": "validation"},
        "metrics": [{"type": "accuracy", "value": round(accuracy, 4)}],
    }
