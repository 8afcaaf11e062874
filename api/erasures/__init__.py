"""Erasing supports, and the receipts of it."""
