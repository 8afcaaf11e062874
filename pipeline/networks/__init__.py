"""What runs the networks, and what each eats and says.

`api` is the seam that stages see; `local` runs them in this process through `session`, the only importer of ONNX
Runtime; `face_detector` and `face_recogniser` hold the work before and after their networks.
"""
