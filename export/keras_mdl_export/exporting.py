"""`export`: a trained model becomes files for phones and browsers."""

import copy
import functools
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence

from keras_mdl.files import atomic_folder, refuse_folder
from keras_mdl_export import checks, packaging, sharing, usage, verification
from keras_mdl_export.choosing import choose
from keras_mdl_export.converting import convert_all
from keras_mdl_export.expected import cleared, outputs_of
from keras_mdl_export.finishing import finish
from keras_mdl_export.given_images import checked_images
from keras_mdl_export.leftovers import locked, sweep
from keras_mdl_export.manifest import (
    FILENAME,
    Manifest,
    networks_of,
    next_version,
)
from keras_mdl_export.manifest_schema import ROUTER
from keras_mdl_export.modes import get_mode
from keras_mdl_export.prepared import only, ordinary
from keras_mdl_export.private_bits import PrivateBits, check_private
from keras_mdl_export.report import ExportReport
from keras_mdl_export.routed import check_router, routed_of
from keras_mdl_export.runtime import run_verified
from keras_mdl_export.signing import sign
from keras_mdl_export.trunk import (
    kernels_by_domain,
    quantized,
    slot_facts,
    stored_kernels,
    trunk_kernels,
)


def export(
    model: object,
    folder: str | pathlib.Path,
    mode: str = "dyn_conv",
    calibration: Mapping | None = None,
    validation: Mapping | None = None,
    plain: Mapping | None = None,
    domains: Sequence[str] | None = None,
    input_dtype: str = "uint8",
    output: str = "probabilities",
    forms: Sequence[str] | None = None,
    pack_base: str | None = None,
    private_bits: str | PrivateBits = "auto",
    max_private_loss: float = 0.003,
    min_shared: float = 0.9,
    max_accuracy_drop: float = 0.02,
    min_agreement: float = 0.9,
    overwrite: bool = False,
    version: int | None = None,
    signing_key: bytes | None = None,
    router: object | None = None,
    say: Callable = print,
) -> ExportReport:
    """Writes every domain of a model as TFLite files that share the trunk.

    The trunk's kernels are put on an int8 grid once (modes `dyn_conv`,
    `int8`); over-parameterised slots and adapters are folded; each domain is
    converted in another process; the trunk's bytes are made the identical end
    of every file; everything is loaded, run on images and compared with the
    Keras model. Only then does the folder appear: whatever fails, nothing is
    left half-written.

    Args:
        model: A `keras_mdl.MultiDomainModel` with heads and a fixed image
            size. It is left as it is. Gates must be collapsed before.
        folder: Where to write. It must not exist, or be an export and
            `overwrite` true.
        mode: Key in `keras_mdl_export.modes.MODES`: `"dyn_conv"`, `"int8"`,
            `"float16"`, `"float32"`, and `"float16_folded"`,
            `"float32_folded"`, which share nothing.
        calibration: `{domain: images}` or `{domain: (images, labels)}`:
            training images, at least 100 of each domain for mode `int8`,
            which measures the activations on them; `private_bits` is chosen
            on them.
        validation: The same, images to verify with and to report; default
            the calibration images. Images are
            `(n, height, width, 3)`, pixels in 0..255, of the network's size.
        plain: `{domain: images}`: those of `validation` in the same order,
            shrunk without antialiasing, as many apps do it. The files'
            accuracy on them is reported, with a warning where it is more
            than a point lower. For domains with labels.
        domains: Names of the domains to export; default all.
        input_dtype: What the networks take, `"uint8"` or `"float32"`; pixels
            in 0..255 either way, each domain's normalisation is inside.
        output: `"probabilities"` (a softmax is added) or `"logits"`.
        forms: Which packages to write: `"models"` (a file per domain),
            `"parts"` (the trunk, and a small prefix per domain), `"bundle"`
            (all domains in one file), `"packs"` (zstd, for updates over the
            air). Default all; without sharing only `"models"` and
            `"bundle"`; no `"parts"` of a model of `build_multi_path`.
        pack_base: Name of the domain whose file the receiver of a pack has;
            default: it has the trunk.
        private_bits: How finely the numbers of each domain's own part are
            stored, in modes `dyn_conv` and `int8`: `"full"`, another name in
            `keras_mdl_export.private_bits.LADDER`, or a `PrivateBits`.
            `"auto"`: for each domain the coarsest of the ladder that keeps
            `max_private_loss`; domains without calibration images, or
            without others to verify with, stay as they are.
        max_private_loss: Accuracy, and probability of the right class, that
            `"auto"` may lose on a domain's calibration images; see
            `keras_mdl_export.choosing`.
        min_shared: Part of the trunk's bytes that each domain must share.
        max_accuracy_drop: Accepted loss of accuracy, for domains with labels.
        min_agreement: Accepted part of images with the same top class.
        overwrite: Whether to replace an export in `folder`.
        version: Of the export, an integer of at least 1; devices install a
            later one only (`keras_mdl_export.update`). Default: one more than
            that of the export that is replaced, or 1.
        signing_key: PEM (`bytes`) of an Ed25519 private key that signs the
            manifest; see `keras_mdl_export.signing`.
        router: A `keras_mdl.routing.Router` of the model, exported with it;
            its base need not be among `domains`.
        say: Function that shows a line of progress.

    Returns:
        An `ExportReport`: sizes, sharing and verification; `print` it.

    Raises:
        ValueError: For unknown choices, images that do not fit, or a model
            that cannot be exported, before anything is written.
        FileExistsError: If `folder` is there.
        ProcessError: If TensorFlow's converter or LiteRT fails or crashes.
        SharingError: If a domain shares less than `min_shared`.
        VerificationError: If a file does not do what the model does.
    """
    folder = pathlib.Path(folder)
    checks.check_model(model)
    whole, model = model, only(model, domains)
    left_out = set(whole) - set(model)
    if router is not None:
        check_router(router, whole, list(model))
    calibration, validation, plain = (
        {k: v for k, v in (x or {}).items() if k not in left_out}
        for x in (calibration, validation, plain)
    )
    used = kernels_by_domain(model)
    several = len(set(map(tuple, used.values()))) > 1
    forms = checks.check_choices(
        model, mode, input_dtype, output, forms, pack_base, several
    )
    checks.check_limits(
        min_shared=(min_shared, 0),
        max_accuracy_drop=(max_accuracy_drop, -1),
        max_private_loss=(max_private_loss, 0),
        min_agreement=(min_agreement, 0),
    )
    mode = get_mode(mode)
    wanted = check_private(private_bits, mode)
    given = checked_images(model, calibration, validation, mode, plain)
    calibration, training, images, plain = given
    if signing_key is not None:
        sign(b"", signing_key)  # a wrong key is refused at once
    sweep(folder)
    refuse_folder(folder, FILENAME, overwrite)
    version = next_version(folder, version)

    say(f"{len(model.domains)} domains, mode {mode.name}: {mode.note}")
    converted = ordinary(model)
    if mode.shares and not trunk_kernels(converted):
        raise ValueError(
            "The backbone has no shared kernel, so there is no trunk to "
            "share: choose mode 'float32_folded' or 'float16_folded'"
        )
    expected = at_grid = outputs_of(model, images, output)
    notes = []
    if mode.kernels == "int8":
        converted, notes = cleared(converted, images, output, expected)
        converted = quantized(converted)
        at_grid = outputs_of(converted, images, output)
    kernels = trunk_kernels(converted)
    stored = stored_kernels(kernels, mode)
    route = routed_of(router, whole, model, converted, mode)
    with (
        atomic_folder(folder, FILENAME, overwrite) as hidden,
        locked(hidden),
    ):
        work = hidden / ".work"
        work.mkdir()
        contents = convert_all(
            converted, work, mode, input_dtype, calibration, say, route
        )
        if route is not None:
            route.finish(contents.pop(ROUTER), kernels, stored)
        finished = functools.partial(
            finish, mode=mode, kernels=kernels, output=output, trunk=stored
        )
        chosen = choose(
            contents, finished, wanted, training, max_private_loss, work, say
        )
        trees = {
            name: finished(content, bits=chosen[name].bits)
            for name, content in contents.items()
        }
        own = {n: {k: stored[k] for k in used[n]} for n in trees}
        for name, tree in trees.items():
            least = sum(k.nbytes for k in own[name].values())
            verification.require_sound(name, tree, least)
        shared = {}
        if mode.shares:
            adapters = slot_facts(model)["adapters"]
            shared = {
                n: sharing.sharing_of(n, t, own[n], adapters.get(n))
                for n, t in trees.items()
            }
            sharing.require_sharing(list(shared.values()), min_shared)
        say("  writing: " + ", ".join(forms))
        facts = {
            "version": version,
            "mode": mode.name,
            "input": {
                "shape": [1, *model.get_config()["input_shape"]],
                "dtype": input_dtype,
            },
            "output": output,
        }
        manifest = packaging.write(
            hidden,
            trees,
            stored if mode.shares else {},
            own if mode.shares else {name: {} for name in trees},
            facts,
            {name: model.domains[name] for name in model},
            shared,
            forms,
            pack_base,
            chosen,
            route,
        )
        say("  verifying on LiteRT")
        verified = run_verified(
            hidden, forms, work, images, plain, expected, at_grid, route
        )
        verification.require_close(verified, max_accuracy_drop, min_agreement)
        values = copy.deepcopy(manifest.values)
        for name, v in verified.items():
            networks_of(values)[name]["verification"] = v.to_dict()
        manifest = Manifest(values)
        manifest.write(hidden, signing_key)
        usage.write(hidden, manifest)
        shutil.rmtree(work)
    return ExportReport.of(folder, manifest, notes)
