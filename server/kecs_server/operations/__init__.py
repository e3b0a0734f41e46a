"""One handler for each ECS operation: checks what the model cannot say, changes state, answers.

May import `state` and `domain`; knows nothing of HTTP and never calls an engine.
"""
