"""Training of the presentation network: is a photograph one of a card, of a copy on paper, or of a screen?

`originals` draws cards, `prints` copies them onto paper and `screens` onto screens, `grounds` draws what they lie on, `capture`
photographs them, `cache` keeps what the network will see, `network` is the net, `train` fits it, `__main__` does it all.

None of this is shared with the attacks and the camera of `models.specimens`, on which the network is evaluated: other formulas,
other parameters, so that what is learnt there has to hold for a second way of saying what a copy is.
"""
