"""Answers may this actor do this to that, for one and for many: the one door to object permissions."""
