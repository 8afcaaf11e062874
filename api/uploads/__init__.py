"""Pictures that a backend puts into the store itself."""
