"""The fault sweep: a real reset of a real stack, cut or broken at every step of its plan in turn."""
