"""The card locator's training: scenes drawn to a cache, a small network, and its export to one ONNX file.

`python -m models.training.locator` does all of it (about 35 minutes on one core with bf16; seed and sizes in `config`);
`python -m models.training.locator.evaluate FOLDER` measures the whole stage on specimen captures.
"""
