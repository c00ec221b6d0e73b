"""`route`, and what `predict` and `export` do with a router."""

import csv
import json

import numpy as np
import pytest
import tiny
from PIL import Image

from keras_mdl import load_model
from keras_mdl.cli import inputs
from keras_mdl.routing import Router

COLOURS = {
    "colours": {
        "blue": (30, 40, 220),
        "green": (20, 200, 40),
        "red": (210, 30, 30),
    },
    "shades": {"dark": (40, 40, 40), "light": (210, 210, 210)},
    "beach": {"sand": (230, 220, 30), "sea": (30, 200, 210)},
}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """As `images`, enough of them for a router, and images of neither."""
    folder = tmp_path_factory.mktemp("many")
    for name, colours in COLOURS.items():
        tiny.write_images(folder / name, colours, 40, (20, 24))
    return folder


@pytest.fixture(scope="module")
def router(two, many, tmp_path_factory):
    from keras_mdl.cli import main

    path = tmp_path_factory.mktemp("router") / "router.safetensors"
    status = main(
        ["route", two, "--data", many / "colours", many / "shades", "--out",
         path, "--others", many / "beach"]
    )  # fmt: skip
    assert status == 0
    return path


def test_route_says_what_becomes_of_new_images(
    run, two, many, router, tmp_path
):
    before = two.read_bytes()
    out = tmp_path / "more.safetensors"
    argv = ("route", two, "--data", many / "colours", "--out", out)
    status, said, err = run(*argv, "--router", router, "--json")
    assert status == 0, err
    result = json.loads(said)
    assert result["domains"] == ["colours", "shades", "beach"]
    (row,) = result["validation"]
    assert row["images_of"] == "colours"
    assert row["here"] + row["elsewhere"] + row["none"] == pytest.approx(1)
    assert two.read_bytes() == before
    one, other = Router.load(router), Router.load(out)
    for name in ("shades", "beach"):
        a, b = one.domains[name], other.domains[name]
        assert a.factor.tobytes() == b.factor.tobytes()
        assert a.threshold == b.threshold
    assert {p.name for p in tmp_path.iterdir()} == {
        out.name, f"{out.name}.run.yaml"
    }  # fmt: skip


def test_predict_goes_to_the_domain_or_to_none(
    run, two, many, router, tmp_path
):
    table = tmp_path / "found.csv"
    folders = [many / "colours" / "red", many / "beach" / "sand"]
    argv = ("predict", two, *folders, "--router", router)
    status, _, err = run(*argv, "--csv", table, "--top", 2)
    assert status == 0, err
    with open(table, newline="") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0])[:3] == ["image", "domain", "margin"]
    red = [r for r in rows if "red" in r["image"]]
    sand = [r for r in rows if "sand" in r["image"]]
    assert sum(r["domain"] == "colours" for r in red) > 30
    assert {r["domain"] for r in sand} == {""}
    assert {r["class_1"] for r in sand} == {""}
    # Who is of a domain gets the answer that --domain gives.
    status, said, _ = run(*argv[:3], "--domain", "colours", "--json")
    plain = {r["image"]: r["predictions"] for r in json.loads(said)["images"]}
    for row in red:
        if row["domain"] == "colours":
            assert row["class_1"] == plain[row["image"]][0]["class"]
    status, said, _ = run(*argv)
    assert "none of these (most like beach)" in said
    assert "red/0.png: colours: " in said


def test_export_ships_the_router(run, two, many, router, tmp_path):
    pytest.importorskip("ai_edge_litert")
    from keras_mdl_export import load

    out = tmp_path / "phone"
    argv = ("export", two, "--data", many / "shades", "--leave-out", "colours",
            "--out", out, "--router")  # fmt: skip
    more = ("--forms", "parts", "--mode", "float32", "--min-agreement", "0.5",
            "--json")  # fmt: skip
    status, said, err = run(*argv, router, *more)
    assert status == 0, err
    assert json.loads(said)["router"]["agreement"] > 0.9
    found, dark = load(out), inputs.open_image(many / "shades/dark/0.png")
    size = found.router.input_shape[1:3]
    image = np.asarray(Image.fromarray(dark).resize(size))
    assert found.route(image).nearest == "shades"
    assert list(found) == ["shades"]
    few = tmp_path / "few.safetensors"
    Router.load(router).without_domain("shades").save(few)
    status, _, err = run(*argv[:-2], tmp_path / "e", "--router", few)
    assert status == 2
    assert "Missing: shades" in err
    assert not (tmp_path / "e").exists()


def test_bad_input_is_refused_before_anything_is_written(
    run, base, two, images, many, router, tmp_path
):
    out, few = tmp_path / "r.safetensors", images["colours"]
    fit = ("route", two, "--out", out, "--data")
    picture = many / "shades" / "dark" / "0.png"
    for argv, message in (
        ((*fit, few), "needs 50 images of each domain"),
        ((*fit, f"x={few}"), "has no domain 'x'"),
        ((*fit, many / "colours", "--base", "x"), "Known domains: 'colours'"),
        ((*fit, many / "colours", "--layer", "x"), "--layer"),
        ((*fit, many / "colours", "--others", f"shades={many / 'beach'}"),
         "images of no domain"),
        ((*fit, many / "colours", "--router", two), "not a complete"),
        (("predict", two, picture), "--domain NAME or --router FILE"),
        (("predict", two, picture, "--domain", "shades", "--router", router),
         "--domain NAME or --router FILE"),
    ):  # fmt: skip
        status, _, err = run(*argv)
        assert status == 2, err
        assert message in err
    other = tmp_path / "other.keras"
    model = load_model(two)
    for path, variable in model.variables_by_path("colours").items():
        if path.endswith("beta"):
            variable.assign(variable + 1)
    model.save(other)
    status, _, err = run("predict", other, picture, "--router", router)
    assert status == 2
    assert "fitted on another network" in err
    other.unlink()
    assert list(tmp_path.iterdir()) == []
