"""Faults: the catalogue, what each does, and the lab room that injects and undoes them."""
