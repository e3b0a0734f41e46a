"""What pages are cut from, and the counts of tasks, are right however things come and go."""

from __future__ import annotations

from random import Random

import pytest
from kecs_server.domain.ordered import Ordered
from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.domain.tasks import Tasks
from made_tasks import made_task


@pytest.mark.parametrize("seed", range(5))
def test_names_and_values_are_those_of_a_sorted_dictionary(seed: int) -> None:
    random = Random(seed)
    ordered: Ordered[int] = Ordered()
    plain: dict[str, int] = {}
    for number in range(300):
        name = "".join(random.choices("abc", k=4))
        if random.random() < 0.6:
            ordered[name] = plain[name] = number
        else:
            assert ordered.pop(name, None) == plain.pop(name, None)
        begin = "".join(random.choices("abc", k=3))
        assert list(ordered.items()) == list(plain.items())
        assert list(ordered.names_from(None)) == sorted(plain)
        assert list(ordered.names_from(begin)) == sorted(n for n in plain if n >= begin)
        before = sorted((n for n in plain if n <= name), reverse=True)
        assert list(ordered.names_from(name, reverse=True)) == before
        assert list(ordered.after(name)) == [plain[n] for n in sorted(plain) if n > name]


@pytest.mark.parametrize("seed", range(5))
def test_tasks_are_counted_by_their_states(seed: int) -> None:
    random = Random(seed)
    tasks = Tasks()
    body = {"containerDefinitions": [{"name": "app", "image": "app"}]}
    for _ in range(200):
        if random.random() < 0.4:
            task = made_task(body, launch_type=random.choice(["EC2", "FARGATE"]))
            tasks[task.id] = task
        elif tasks:
            task = random.choice(list(tasks.values()))
            if random.random() < 0.3:
                del tasks[task.id]
            move(task, random.choice(list(Status)), 0.0)
        there = [(task.launch_type, task.last_status) for task in tasks.values()]
        assert +tasks.counts == {key: there.count(key) for key in there}
