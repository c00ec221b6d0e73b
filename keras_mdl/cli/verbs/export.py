"""`keras-mdl export`."""

import pathlib
from typing import Literal

from keras_mdl.cli import backend, cards, flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved


def export(
    model: flags.Model,
    *,
    data: flags.Specs,
    out: pathlib.Path,
    leave_out: list[str] | None = None,
    router: flags.RouterFile | None = None,
    mode: str = "dyn_conv",
    forms: list[str] | None = None,
    input_dtype: Literal["uint8", "float32"] = "uint8",
    output: Literal["probabilities", "logits"] = "probabilities",
    pack_base: str | None = None,
    private_bits: str = "auto",
    max_private_loss: flags.Fraction = 0.003,
    calibration_images: flags.PositiveInt = 1000,
    verify_images: flags.PositiveInt = 1000,
    max_accuracy_drop: flags.Fraction = 0.02,
    min_agreement: flags.Fraction = 0.9,
    min_shared: flags.Fraction = 0.9,
    export_version: flags.PositiveInt | None = None,
    signing_key: pathlib.Path | None = None,
    reading: flags.Reading = flags.READING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Write TFLite files for phones and browsers that share one trunk.

    Each SPEC names the images of one domain of the model: they calibrate
    (split train, --mode int8) and verify (split validation) its file; classes
    match by name, and some may be missing. Every
    file is run on LiteRT and compared with the Keras model; if a domain loses
    more than --max-accuracy-drop, or shares less of the trunk than
    --min-shared, nothing is written. USAGE.md in the folder has the lines
    that an app needs, README.md is a model card.

    Args:
        out: folder to write; it appears when everything is verified
        leave_out: domains of the model that are not exported, as the one that
            a pretrained trunk comes with
        router: exported too: which domain an image is of, or none
        mode: dyn_conv: int8 kernels, float activations; int8: int8
            throughout; float16, float32: shared with BatchNorm unfolded;
            float16_folded, float32_folded: nothing shared
        forms: models, parts, bundle, packs (default: all)
        input_dtype: of the images, in 0..255 either way
        output: of the networks
        pack_base: domain whose file the receiver of a pack has (default: it
            has the trunk)
        private_bits: how finely each domain's own numbers are stored in
            dyn_conv and int8: full, fine, medium, coarse, coarser, coarsest;
            auto: for each domain the coarsest that keeps its answers
        max_private_loss: accuracy that auto may cost on training images
        calibration_images: training images of each domain, for --mode int8
            and --private-bits auto
        verify_images: of each domain at most
        max_accuracy_drop: accepted for each domain
        min_agreement: part of the images that must get the class that Keras
            gives
        min_shared: part of the trunk's bytes that each domain must share
        export_version: of this export; devices install a later one only
            (default: one more than that of the export that is replaced, or 1)
        signing_key: PEM file of an Ed25519 private key that signs the export
    """
    from keras_mdl_export.manifest import FILENAME

    from keras_mdl.files import refuse_folder

    with bad_input():
        refuse_folder(out, FILENAME, overwrite)
    with outputs.reserved(out):
        saved = open_saved(model)
        size = saved.size()
        for name in leave_out or ():
            saved.domain(name)
        exported = [n for n in saved.domains if n not in (leave_out or ())]
        found = _data_of_all(console, saved, exported, data, size, reading)
        exporting = backend.quiet_import("keras_mdl.runs.exporting")
        exporting.require_export()
        whole = loaded = saved.load()
        router = router and inputs.open_router(router, whole)
        for name in leave_out or ():
            loaded = loaded.without_domain(name)
        from keras_mdl_export import checks, manifest, modes, signing
        from keras_mdl_export.given_images import MIN_CALIBRATION
        from keras_mdl_export.private_bits import check_private
        from keras_mdl_export.routed import check_router

        with bad_input(version="--export-version"):
            key = signing_key and signing_key.read_bytes()
            if key is not None:
                signing.sign(b"", key)  # a wrong one is refused at once
            manifest.next_version(out, export_version)
            chosen = modes.get_mode(mode)
            check_private(private_bits, chosen)
            forms = checks.check_choices(
                loaded, mode, input_dtype, output, forms, pack_base
            )
            checks.check_model(loaded)
            if router is not None:
                check_router(router, whole, list(loaded))
        if chosen.int8_activations:
            for name, one in found.items():
                images = min(calibration_images, one.size("train"))
                if images < MIN_CALIBRATION:
                    raise InputError(
                        "--mode int8 measures activations on at least "
                        f"{MIN_CALIBRATION} training images of each "
                        "domain (--calibration-images). Received: "
                        f"{images} of {name!r}"
                    )
        report = exporting.export_with_data(
            # A router may look through the network of one that is left out.
            loaded if router is None else whole,
            found,
            out,
            size,
            calibration_images,
            verify_images,
            domains=exported,
            router=router,
            mode=mode,
            forms=forms,
            input_dtype=input_dtype,
            output=output,
            pack_base=pack_base,
            private_bits=private_bits,
            max_private_loss=max_private_loss,
            version=export_version,
            signing_key=key,
            min_shared=min_shared,
            max_accuracy_drop=max_accuracy_drop,
            min_agreement=min_agreement,
            overwrite=overwrite,
            say=console.say,
        )
        cards.write_export_card(out, model, loaded, report)
    console.say(f"\n{report}\n\nwrote {out} (read {out}/USAGE.md)")
    return report.to_dict()


def _data_of_all(console, saved, exported, specs, size, reading):
    """`{domain: DomainData}` of all domains that are exported."""
    found = {}
    opened = inputs.open_data(console, specs, size, reading)
    for spec, one in zip(specs, opened, strict=True):
        name = one.domain.name
        if name in found:
            raise InputError(f"Two SPECs of --data are for the domain {name!r}")
        found[name] = inputs.matched(one, saved, spec, warn=console.warn)
        inputs.require_labels(one, "train", "validation")
    if missing := [n for n in exported if n not in found]:
        raise InputError(
            "Every domain is verified on images of its own. Missing in "
            f"--data: {', '.join(missing)} (or --leave-out them)"
        )
    if extra := [n for n in found if n not in exported]:
        raise InputError(f"Both in --data and left out: {', '.join(extra)}")
    return found
