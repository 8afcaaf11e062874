"""The classifier of side and model: flat sides sketched at low resolution, a small network, its export to one ONNX file.

`python -m models.training.card_model` does all of it on one thread; seed and sizes in `config`.
`python -m models.training.card_model.evaluate` measures the committed network on sides drawn with another seed.

The sides are our specimens' layouts (`models.specimens`), varied far beyond them: each group of print moved by up to 3 mm,
scaled, dropped or added to, in other faces, inks, pictures and grounds. There is no class for models I and J: no text says
where their print stands, so a drawing of them would be invented. Sides of G and H with a portrait more stand in for them.
"""
