"""The card locator's training: scenes drawn to a cache, a small network, and its export to one ONNX file.

`python -m models.training.locator` does all of it (about 35 minutes on one core with bf16; seed and sizes in `config`);
`python -m models.training.locator.evaluate FOLDER` measures the whole stage on specimen captures.

The committed weights: 2,200 steps on 10,700 scenes of an earlier mixture (half as many cut cards, no copies or screens), then
560 steps with 1,600 scenes of mostly cut and shown cards mixed in; the mean of both networks' weights, which was steadier than
either. Both on a crowded core: a run of the whole schedule has not been measured.
"""
