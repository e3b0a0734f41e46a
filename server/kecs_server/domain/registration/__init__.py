"""What RegisterTaskDefinition refuses (ecs-facts 4.2 to 4.4), by subject.

`check.py` has the order; every other module yields the texts of the rules of its subject that a
definition breaks. Only the first text is ever looked at, so a rule may rely on those before it.
Texts come from ecs-facts and public reports of refusals; where neither has one, the text is ours.
"""
