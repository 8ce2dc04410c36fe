"""Runs ONNX models on images with onnxruntime: reads FOLDER/model.onnx and FOLDER/images.f32, raw
`[batch, channels, height, width]`, writes FOLDER/logits.f32: those of the whole batch, then those of
its first image alone."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

for folder in map(Path, sys.argv[1:]):
    path = folder / "model.onnx"
    onnx.checker.check_model(str(path), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (images,) = session.get_inputs()
    (logits,) = session.get_outputs()
    assert (images.name, images.shape[0], logits.name, logits.shape[0]) == ("images", "N", "logits", "N")
    pixels = np.fromfile(folder / "images.f32", dtype="<f4").reshape(-1, *images.shape[1:])
    runs = [session.run(None, {"images": batch})[0] for batch in (pixels, pixels[:1])]
    assert all(run.shape[1:] == tuple(logits.shape[1:]) for run in runs)
    np.concatenate(runs).astype("<f4").tofile(folder / "logits.f32")
    meta = session.get_modelmeta()
    print(json.dumps({"producer": meta.producer_name, "graph": meta.graph_name, **meta.custom_metadata_map}))
