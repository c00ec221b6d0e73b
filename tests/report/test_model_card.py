"""The model card: what the Hub reads, and what people have to know."""

import yaml

from keras_mdl.report.model_card import render_card

FACTS = {
    "source": "folder:photos",
    "provenance": "folder photos",
    "images": {"train": 120, "validation": 30},
    "classes": {"cat": 100, "dog|wolf": 20},
    "unreadable": 2,
    "findings": ["unequal classes"],
    "method": "pointwise_sharing",
    "recipe": "photo-domain",
    "settings": {"batch_size": 32},
    "best_epoch": True,
    "seed": 7,
    "epochs": 5,
    "seconds": 61.0,
    "final": {"val_accuracy": 0.8, "accuracy": 0.9},
    "most_frequent": 0.7,
    "command": "keras-mdl train --data folder:photos",
}
CLASSES = {
    "pets": ("cat", "dog|wolf"),
    "old": tuple(f"c{i}" for i in range(99)),
}


def card(**options):
    return render_card(
        "net", "net.keras", CLASSES, {"pets": FACTS}, 1234, 64, **options
    )


def front(text):
    _, head, rest = text.split("---\n", 2)
    return yaml.safe_load(head), rest


def test_the_front_matter_is_the_hubs():
    head, _ = front(card())
    assert head["library_name"] == "keras"
    assert head["pipeline_tag"] == "image-classification"
    (model,) = head["model-index"]
    (result,) = model["results"]  # nothing is claimed of what is not known
    assert result["dataset"] == {
        "name": "pets", "type": "pets", "split": "validation",
    }  # fmt: skip
    assert result["metrics"] == [{"type": "accuracy", "value": 0.8}]
    assert "license" not in head


def test_what_people_have_to_know():
    _, text = front(card(environment={"keras": "3.15"}))
    assert "| pets | 2 | 120 | 30 | 80.0 % (63 to 90) | 70.0 % |" in text
    assert "cat 100, dog\\|wolf 20" in text
    assert "unreadable and left out: 2" in text
    assert "keras-mdl train --data folder:photos" in text
    assert "- pets: unequal classes." in text
    assert "chosen on the validation images" in text
    assert 'no answer "none of these"' in text
    assert "| old | 99 | not known |  |  |  |" in text
    assert "c39 and 59 more" in text
    assert "keras: 3.15" in text


def test_an_exports_card_has_the_exported_accuracy():
    domain = {
        "domain": "pets", "complete": 510_000, "accuracy_keras": 0.8,
        "accuracy": 0.75, "agreement": 0.95,
    }  # fmt: skip
    head, text = front(
        card(export={"mode": "dyn_conv", "domains": [domain], "notes": ["n"]})
    )
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == 0.75
    assert "| pets | 510 kB | 80.0 % | 75.0 % | 95.0 % |" in text
    assert "from keras_mdl_export import load" in text
