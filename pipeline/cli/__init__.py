"""The command line `apoyo`: one module a command. The topmost room: imports all, imported by none.

A command's heavy imports stand inside its function, so that `apoyo check-upload` loads neither cv2 nor a network.
"""
