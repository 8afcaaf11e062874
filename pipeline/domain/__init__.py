"""What a support, a credential and a verdict are. Standard library only: no pixels, no database, no network.

Text from outside is parsed here once (`Curp.parse`, `SmallQr.parse`, `SupportInfo.parse`); what exists is valid.
"""
