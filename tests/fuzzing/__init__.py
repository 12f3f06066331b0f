"""Malformed calls of every checked function, made from its annotated types, and a judgement of each answer.

A call has good arguments, `good`, of which one or two are then replaced, `bad`. What comes of it is judged, `judging`.
`make fuzz` makes thousands of them with other draws each time, `tests/test_fuzz.py` always the same few.
"""
