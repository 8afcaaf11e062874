"""The HTTP intake: takes supports in durably and tells how they stand. Knows neither pixels, networks nor Ray.

`create_app` builds the application from what it is given; `python -m api` serves it with the settings of the environment.
"""
