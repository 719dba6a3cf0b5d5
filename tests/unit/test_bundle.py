from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors

from monitor.core.errors import BundleError, CannotCreateError, DataError, PermissionDeniedError
from monitor.core.features import Layout
from monitor.core.model_config import ModelConfig
from monitor.model.autoencoder import autoencoder_for
from monitor.model.bundle import canary_of, load, verify
from monitor.model.calibration import calibrate, calibrate_network
from monitor.model.inference import Inference
from monitor.model.manifest import CARD, MANIFEST, WEIGHTS, Canary
from monitor.model.publishing import demand_writable, promote, publish
from monitor.model.versions import current_version, versions
from tests.support_models import contents, forge, forge_weights, layout, network, renamed, rows
from tests.torch_networks import of_torch

REPOSITORY = Path(__file__).resolve().parents[2]
NOW = 1_700_000_000.0


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "web" / publish(tmp_path, contents(), now=NOW)


# -- there and back --------------------------------------------------------------------------------------------


def test_a_bundle_comes_back_as_it_was_published(tmp_path: Path) -> None:
    published = contents()

    version = publish(tmp_path, published, now=NOW)
    bundle = load(tmp_path / "web", "web")

    read = bundle.contents
    assert (bundle.version, bundle.created) == (version, "2023-11-14T22:13:20.000Z")
    assert replace(read, module=published.module) == published
    assert not of_torch(read.module).training
    values = rows(50, published.layout, 9)
    errors = [Inference(module, published.layout).errors(values) for module in (published.module, read.module)]
    assert np.array_equal(errors[0], errors[1])


@pytest.mark.parametrize("width", [1, 2, 40])
def test_networks_of_any_width_travel(tmp_path: Path, width: int) -> None:
    publish(tmp_path, contents(width=width), now=NOW)

    assert load(tmp_path / "web", "web").contents.module.width == width


def test_a_model_that_counts_no_novelty_travels_as_one(tmp_path: Path) -> None:
    place = replace(layout(7), novelty=False)
    module = network(7)
    inference = Inference(module, place)
    values = rows(120, place)
    made = contents(
        module=module,
        config=ModelConfig(novelty=False),
        layout=place,
        calibration=calibrate_network(inference, values),
        canary=canary_of(inference, values),
    )

    publish(tmp_path, made, now=NOW)

    assert load(tmp_path / "web", "web").contents.layout == place


def test_the_null_network_travels_too(tmp_path: Path) -> None:
    made = contents(
        module=autoencoder_for(0, ModelConfig()),
        layout=Layout.of([("a", 0, 1), ("b", 0, 1)]),
        calibration=calibrate(np.zeros(5), np.zeros((5, 2))),
        canary=Canary(((0.0, 1.0),), (1.0,)),
    )

    publish(tmp_path, made, now=NOW)

    assert load(tmp_path / "web", "web").contents.layout == made.layout


def test_the_version_says_when_and_which(bundle: Path) -> None:
    assert bundle.name.startswith("20231114T221320.000Z-")
    assert bundle.name.endswith(verify(bundle).sha256[:12])


def test_the_same_model_is_published_twice_as_two_versions(tmp_path: Path) -> None:
    first, second = (publish(tmp_path, contents(), now=NOW) for _ in range(2))

    assert versions(tmp_path, "web") == [first, second]


def test_versions_sort_by_age_even_when_the_clock_goes_back(tmp_path: Path) -> None:
    published = [publish(tmp_path, contents(), now=now) for now in (NOW, NOW - 5000, NOW - 100)]

    assert versions(tmp_path, "web") == published
    assert current_version(tmp_path, "web") == published[-1]


def test_only_plain_files_that_are_all_hashed_make_a_bundle(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == sorted([CARD, MANIFEST, WEIGHTS])
    assert sorted(verify(bundle).files) == sorted([CARD, WEIGHTS])


def test_attachments_are_part_of_the_bundle(tmp_path: Path) -> None:
    version = publish(tmp_path, contents(), now=NOW, attachments={"report.html": b"<p>"})
    (tmp_path / "web" / version / "report.html").write_bytes(b"<b>")

    with pytest.raises(BundleError, match=r"report\.html: damaged: its SHA-256"):
        load(tmp_path / "web", "web")


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", MANIFEST, WEIGHTS])
def test_an_attachment_stays_inside_the_bundle(tmp_path: Path, name: str) -> None:
    with pytest.raises(BundleError, match="is not a plain file name"):
        publish(tmp_path, contents(), now=NOW, attachments={name: b""})
    assert [path.name for path in (tmp_path / "web").iterdir()] == [".lock"]


def test_the_card_tells_a_person_what_the_model_is(bundle: Path) -> None:
    card = (bundle / CARD).read_text()

    assert "# Model of stream web" in card
    assert "Learned from 700 benign records" in card
    assert "Layers: 7-4-2-4-7. Weights of epoch 2 of 2." in card
    assert "| f0 | 3 | 1 |" in card


# -- refusals --------------------------------------------------------------------------------------------------


def test_a_truncated_file_is_refused(bundle: Path) -> None:
    (bundle / WEIGHTS).write_bytes((bundle / WEIGHTS).read_bytes()[:100])

    with pytest.raises(BundleError, match=rf"{WEIGHTS}: truncated: 100 bytes instead of \d+"):
        verify(bundle)


def test_a_file_that_has_grown_is_refused(bundle: Path) -> None:
    with (bundle / CARD).open("ab") as file:
        file.write(b"more")

    with pytest.raises(BundleError, match=rf"{CARD}: has grown"):
        verify(bundle)


@pytest.mark.parametrize("name", [WEIGHTS, CARD, MANIFEST])
def test_every_flipped_bit_is_refused(bundle: Path, name: str) -> None:
    sound = (bundle / name).read_bytes()
    chance = random.Random(4)
    for _ in range(25):
        bits = bytearray(sound)
        bits[chance.randrange(len(bits))] ^= 1 << chance.randrange(8)
        (bundle / name).write_bytes(bits)
        with pytest.raises(BundleError, match=name):
            verify(bundle)


def test_a_renamed_bundle_is_refused(bundle: Path) -> None:
    other = bundle.rename(bundle.parent / "20231114T221320.000Z-000000000000")

    with pytest.raises(BundleError, match=r"manifest\.json: damaged, or the directory was renamed"):
        verify(other)


@pytest.mark.parametrize("name", [WEIGHTS, CARD, MANIFEST])
def test_a_missing_file_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).unlink()

    with pytest.raises(BundleError, match=f"{name}: missing"):
        verify(bundle)


@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST])
def test_a_symbolic_link_is_refused_wherever_it_leads(bundle: Path, name: str) -> None:
    (bundle / name).rename(bundle.parent / "elsewhere")
    (bundle / name).symlink_to(bundle.parent / "elsewhere")

    with pytest.raises(BundleError, match=f"{name}: is a symbolic link"):
        verify(bundle)


def test_a_linked_directory_is_refused(bundle: Path) -> None:
    real = bundle.rename(bundle.parent.parent / "elsewhere")
    bundle.symlink_to(real)

    with pytest.raises(BundleError, match="is a symbolic link; a bundle is a plain directory"):
        verify(bundle)


def test_a_pipe_in_place_of_a_file_does_not_hang(bundle: Path) -> None:
    (bundle / WEIGHTS).unlink()
    os.mkfifo(bundle / WEIGHTS)

    with pytest.raises(BundleError, match="not a regular file"):
        verify(bundle)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/b", "..", ".x", "", MANIFEST])
def test_a_manifest_cannot_name_files_outside_the_bundle(bundle: Path, name: str) -> None:
    forged = forge(bundle, lambda m: m["files"].update({name: {"sha256": "0", "bytes": 1}}))

    with pytest.raises(BundleError, match="is not a plain name inside the bundle"):
        verify(forged)


def test_a_bundle_of_another_stream_is_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match="belongs to stream 'web', not 'mail'"):
        load(bundle, "mail")


def test_a_newer_format_is_refused_with_the_cure(bundle: Path) -> None:
    forged = forge(bundle, lambda m: m.update(format=2, unknown="x", calibration="elsewhere"))

    with pytest.raises(BundleError, match=r"format 2 is newer than 1, which this program reads; upgrade aemonitor"):
        verify(forged)


def test_a_pickle_in_disguise_is_refused_unopened(bundle: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(bundle.parent / "sprung"),)

    forged = forge_weights(bundle, pickle.dumps(Trap()))

    with pytest.raises(BundleError, match="not a safetensors file"):
        verify(forged)
    assert not (bundle.parent / "sprung").exists()


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}", b"\x02\0\0\0\0\0\0\0[]"])
def test_garbage_for_weights_is_refused(bundle: Path, data: bytes) -> None:
    with pytest.raises(BundleError, match=WEIGHTS):
        verify(forge_weights(bundle, data))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(bundle: Path, value: float) -> None:
    state = network(7).state_dict()
    state["layers.1.bias"][0] = value

    with pytest.raises(BundleError, match=r"tensor 'layers\.1\.bias' is not float32 or has values that are not finite"):
        verify(forge_weights(bundle, save_tensors(state)))


def test_weights_of_another_type_are_refused(bundle: Path) -> None:
    state = {name: tensor.to(torch.float16) for name, tensor in network(7).state_dict().items()}

    with pytest.raises(BundleError, match="is not float32"):
        verify(forge_weights(bundle, save_tensors(state)))


def test_weights_of_another_shape_are_refused(bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"tensor 'layers.0.bias' has shape \(8,\), expected \(4,\)"):
        verify(forge_weights(bundle, save_tensors(network(9).state_dict())))


def test_a_missing_tensor_is_refused(bundle: Path) -> None:
    state = network(7).state_dict()
    del state["layers.3.weight"]

    with pytest.raises(BundleError, match=r"tensor 'layers.3.weight' has shape None, expected \(7, 4\)"):
        verify(forge_weights(bundle, save_tensors(state)))


def test_sound_weights_of_another_training_are_told_by_the_canary(bundle: Path) -> None:
    with pytest.raises(BundleError, match="the canary rows give other errors than at publication"):
        verify(forge_weights(bundle, save_tensors(network(7, seed=2).state_dict())))


def test_a_forged_width_costs_no_memory(bundle: Path) -> None:
    forged = forge(bundle, lambda m: m.update(widths=[7, 10**15, 7]))

    with pytest.raises(BundleError, match=r"tensor 'layers\.0\.bias' has shape \(4,\), expected \(1000000000000000,\)"):
        verify(forged)


def no_hidden_layer(manifest: dict[str, Any]) -> None:
    manifest["widths"] = [7, 7]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(widths=[8, 4, 2, 4, 8]), "do not fit the 7 network columns"),
        (lambda m: m.update(widths=[]), "do not fit the 7 network columns"),
        (no_hidden_layer, "have no hidden layer"),
        (lambda m: m.update(widths=[7, -4, 7]), "Expected `int` >= 1"),
        (lambda m: m["layout"].pop(), "do not fit the"),
        (lambda m: m["layout"].append(["x", 0, 0]), "different numbers of features"),
        (lambda m: m["layout"].append(["x", -1, 0]), "Expected `int` >= 0"),
        (lambda m: m["calibration"].update(low=9e9), "calibration range is reversed"),
        (lambda m: m["calibration"].update(count=0), "calibration needs records"),
        (lambda m: m["calibration"].update(high=None), "Expected `float`"),
        (lambda m: m["canary"].update(values=[], errors=[]), "canary rows and errors do not match"),
        (lambda m: m["canary"]["values"][0].pop(), "canary rows do not have the 10 columns"),
        (lambda m: m["canary"]["errors"].__setitem__(0, 99.0), "the canary rows give other errors"),
        (lambda m: m.update(threshold="1"), "Expected `float`"),
        (lambda m: m["model"].update(dropout=1), r"model\.dropout: Extra inputs are not permitted"),
        (lambda m: m["model"].update(activation="swish"), r"model\.activation"),
        (lambda m: m["files"].pop(WEIGHTS), "lists no weights"),
        (lambda m: m.pop("history"), "missing required field `history`"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    with pytest.raises(BundleError, match=rf"manifest\.json: .*{reason}"):
        verify(forge(bundle, change))


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b'{"format": "1"}', b"[" * 10**6, b"\xff\xfe", b"{}"])
def test_a_manifest_that_is_no_manifest_is_refused(bundle: Path, data: bytes) -> None:
    (bundle / MANIFEST).write_bytes(data)

    with pytest.raises(BundleError, match=r"manifest\.json: not a manifest"):
        verify(renamed(bundle))


def test_a_pointer_to_nowhere_or_outside_is_refused(bundle: Path) -> None:
    pointer = bundle.parent / "current"
    for text in ("../../etc", "", "20231114T221320.000Z-000000000000/..", "\xff" * 50):
        pointer.write_text(text)
        with pytest.raises(BundleError, match=r"current: .* is not a version"):
            load(bundle.parent, "web")
    pointer.write_text("20231114T221320.000Z-000000000000\n")
    with pytest.raises(BundleError, match=r"000000000000/manifest\.json: missing"):
        load(bundle.parent, "web")


def test_a_stream_without_a_model_has_none(tmp_path: Path) -> None:
    assert (versions(tmp_path, "web"), current_version(tmp_path, "web")) == ([], None)
    with pytest.raises(BundleError, match="current: missing"):
        load(tmp_path / "web", "web")


@pytest.mark.parametrize("stream", ["..", "a/b", "", ".x", "a\nb", "x" * 101])
def test_a_stream_cannot_be_named_out_of_the_root(tmp_path: Path, stream: str) -> None:
    with pytest.raises(DataError, match="a name has letters, digits, dots"):
        publish(tmp_path / "models", contents(stream), now=NOW)
    assert not (tmp_path / "models").exists()


# -- publishing ------------------------------------------------------------------------------------------------


def test_old_versions_go_but_never_the_current_one(tmp_path: Path) -> None:
    published = [publish(tmp_path, contents(), now=NOW + i, keep=3) for i in range(3)]
    promote(tmp_path, "web", published[0])
    pruned = publish(tmp_path, contents(), now=NOW + 9, keep=1)

    assert versions(tmp_path, "web") == [pruned]
    assert current_version(tmp_path, "web") == pruned


def test_five_versions_stay_by_default(tmp_path: Path) -> None:
    published = [publish(tmp_path, contents(), now=NOW + i) for i in range(7)]

    assert versions(tmp_path, "web") == published[-5:]


def test_an_older_version_can_be_promoted(tmp_path: Path) -> None:
    first = publish(tmp_path, contents(seed=1), now=NOW)
    publish(tmp_path, contents(seed=2), now=NOW + 1)

    promote(tmp_path, "web", first)

    assert load(tmp_path / "web", "web").version == first


def test_a_damaged_or_unknown_version_is_not_promoted(tmp_path: Path) -> None:
    first = publish(tmp_path, contents(seed=1), now=NOW)
    second = publish(tmp_path, contents(seed=2), now=NOW + 1)
    (tmp_path / "web" / first / CARD).unlink()

    with pytest.raises(BundleError, match=r"MODEL\.md: missing"):
        promote(tmp_path, "web", first)
    with pytest.raises(BundleError, match=r"there is no version '\.\./x'"):
        promote(tmp_path, "web", "../x")
    assert current_version(tmp_path, "web") == second


def test_weights_that_are_not_finite_are_not_published(tmp_path: Path) -> None:
    sound = publish(tmp_path, contents(), now=NOW)
    broken = network(7)
    broken.linears()[0].weight.data[0, 0] = float("nan")

    with pytest.raises(BundleError, match="the weights are not finite; nothing was published"):
        publish(tmp_path, contents(module=broken), now=NOW)
    assert versions(tmp_path, "web") == [sound]


def test_contents_that_do_not_fit_together_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="do not fit the 7 network columns of the layout; nothing was published"):
        publish(tmp_path, contents(module=network(9)), now=NOW)
    assert versions(tmp_path, "web") == []


@pytest.mark.parametrize("state", [float("nan"), float("inf"), b"bytes", {1, 2}])
def test_encoder_state_that_json_would_not_give_back_is_not_published(tmp_path: Path, state: object) -> None:
    with pytest.raises(BundleError, match=r"stream web: .* JSON .*; nothing was published"):
        publish(tmp_path, contents(features=[{"low": state}]), now=NOW)


def test_a_root_that_is_a_file_cannot_hold_models(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("")

    with pytest.raises(CannotCreateError, match=r"models.*: cannot write models: (Not a directory|File exists)"):
        publish(tmp_path / "models", contents(), now=NOW)


def test_whether_models_can_be_written_is_known_before_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    demand_writable(tmp_path / "models", "web")
    with pytest.raises(CannotCreateError, match=r"file.*: cannot write models: (Not a directory|File exists)"):
        demand_writable(tmp_path / "file", "web")

    assert [path.name for path in (tmp_path / "models" / "web").iterdir()] == [".lock"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_root_that_may_not_be_written_is_a_permission_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(PermissionDeniedError, match="cannot write models: Permission denied"):
        publish(tmp_path, contents(), now=NOW)


def test_what_a_killed_publisher_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "web" / ".tmp-dead").mkdir(parents=True)
    (tmp_path / "web" / ".tmp-dead" / WEIGHTS).write_bytes(b"half")
    (tmp_path / "web" / ".tmp-pointer").write_bytes(b"half")

    version = publish(tmp_path, contents(), now=NOW)

    assert sorted(path.name for path in (tmp_path / "web").iterdir()) == sorted([".lock", "current", version])


def test_publishers_and_a_reader_at_once_never_see_a_mixture(tmp_path: Path) -> None:
    models = [contents(seed=seed) for seed in (1, 2)]
    publish(tmp_path, models[0], now=NOW)
    failures: list[BaseException] = []

    def publish_often(model: int) -> None:
        try:
            for _ in range(8):
                publish(tmp_path, models[model], now=NOW, keep=1)
        except BaseException as failure:  # noqa: BLE001 - told to the main thread below
            failures.append(failure)

    threads = [threading.Thread(target=publish_often, args=(model,)) for model in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        load(tmp_path / "web", "web")
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(versions(tmp_path, "web")) == 1


REPLACED_WHILE_IT_IS_READ = """
import sys
from pathlib import Path
from monitor.model.bundle import load
from monitor.model.publishing import publish
from tests.support_models import contents

root, replacing = Path(sys.argv[1]), False
publish(root, contents(seed=1), now=1.7e9)
newer = contents(seed=2)

def step(event, details):
    global replacing
    if replacing and event == "open" and str(details[0]).endswith("MODEL.md"):
        replacing = False
        print(publish(root, newer, now=1.8e9, keep=1))

sys.addaudithook(step)
replacing = True
print(load(root / "web", "web").version)
"""


def test_a_reader_whose_model_is_pruned_under_its_hands_gets_the_new_one(tmp_path: Path) -> None:
    script = [sys.executable, "-c", REPLACED_WHILE_IT_IS_READ, str(tmp_path)]

    done = subprocess.run(script, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stderr
    published, read = done.stdout.split()
    assert read == published


KILLED_AT_EVERY_STEP = """
import os, sys
from pathlib import Path
from monitor.model.bundle import load
from monitor.model.versions import versions
from monitor.model.publishing import publish
from tests.support_models import contents

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "fcntl.flock", "shutil.rmtree", "os.scandir"}
root, old, new = Path(sys.argv[1]), contents(seed=1), contents(seed=2)
left = -1

def step(event, _):
    global left
    if event in STEPS and left >= 0:
        if left == 0:
            os._exit(9)
        left -= 1

sys.addaudithook(step)
seen = []
for steps in range(1000):
    state = root / str(steps)
    before = publish(state, old, now=1.7e9)
    child = os.fork()
    if child == 0:
        left = steps
        publish(state, new, now=1.7e9, keep=1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    current = load(state / "web", "web")
    weights = current.contents.module.state_dict()["layers.0.weight"]
    models = {name: m.module.state_dict()["layers.0.weight"] for name, m in (("old", old), ("new", new))}
    (which,) = [name for name, model in models.items() if bool((weights == model).all())]
    assert (which == "old") == (current.version == before), (which, steps)
    for version in versions(state, "web"):
        load(state / "web" / version, "web")
    after = publish(state, new, now=1.7e9, keep=1)
    assert sorted(p.name for p in (state / "web").iterdir()) == sorted([".lock", "current", after]), steps
    seen.append(which)
    if os.waitstatus_to_exitcode(status) == 0:
        break
print(steps, *seen)
"""


def test_a_publisher_killed_at_any_step_leaves_the_old_or_the_new_model_whole(tmp_path: Path) -> None:
    script = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(tmp_path)]

    done = subprocess.run(script, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=100)

    assert done.returncode == 0, done.stderr
    steps, *seen = done.stdout.split()
    assert int(steps) > 15  # it really was killed that often
    assert seen == sorted(seen, reverse=True)  # old until the pointer moved, new from then on
    assert {"old", "new"} == set(seen)
