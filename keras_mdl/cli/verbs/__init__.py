"""The commands by name, each a module: `HELP`, `add_arguments`, `run`."""

from keras_mdl.cli.verbs import (
    add_domain,
    compare,
    demo,
    evaluate,
    export,
    load_domain,
    predict,
    remove_domain,
    save_domain,
    score,
    share,
    submit,
    summary,
    train,
)

VERBS = {
    "demo": demo,
    "train": train,
    "add-domain": add_domain,
    "share": share,
    "compare": compare,
    "evaluate": evaluate,
    "predict": predict,
    "export": export,
    "submit": submit,
    "score": score,
    "summary": summary,
    "remove-domain": remove_domain,
    "save-domain": save_domain,
    "load-domain": load_domain,
}
