"""Training of the code restorer: a small network that makes a blurred code black and white again, for the reader to decode.

`patches` draws codes and spoils them as cameras do, `network` is the net, `train` fits it, `__main__` does it all and exports.
"""
