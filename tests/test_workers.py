"""Workers, forked by the process that wants them or by a nursery: the same answers, the same ends."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest
from conftest import ROOT

from migrate.engine.crew import Processes, WorkerDied, note
from migrate.engine.nursery import Nursery, nursery
from migrate.engine.underway import tell
from migrate.engine.workers import Workers, loading, meanwhile
from migrate.events import Progress

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nothing is forked elsewhere")
QUIET = Progress("work")


class Squares:
    """Answers with the square and its own process; ends itself by a signal it is given."""

    def __init__(self, begin: int = 0) -> None:
        self.sum = begin

    def work(self, task):
        if isinstance(task, str):
            note([7, 8])
            faulthandler.disable()
            os.kill(os.getpid(), signal.Signals[task])
        if task == 13:
            raise ValueError("thirteen")
        self.sum += task
        return task * task, os.getpid(), os.getppid()

    def drain(self):
        return self.sum


@pytest.fixture(params=["of this process", "of a nursery"])
def crew(request):
    """What has workers."""
    with nursery() if request.param == "of a nursery" else nullcontext() as home:
        yield home.crew if home else Processes


def answers(workers: Workers, tasks: list[object]) -> list:
    todo = iter(tasks)
    return list(workers.run(lambda: next(todo, None), QUIET))


class Slow(Squares):
    def work(self, task):
        time.sleep(0.005)
        return super().work(task)


class Telling(Squares):
    def work(self, task):
        for number in range(3):
            tell(1, 100, partial("step {}".format, number))
        return super().work(task)

    def drain(self):
        tell(1)
        return super().drain()


@pytest.fixture
def at_once(monkeypatch):
    """What is under way is told at once: to be asked for before the crew, which is forked."""
    monkeypatch.setattr("migrate.engine.underway.TELL_SECONDS", 0.0)


def test_what_is_under_way_is_told(at_once, crew, monkeypatch):
    """Before the answer, and of each task anew; an answer in the end is not preceded by any."""
    heard = []
    progress = Progress("work")
    monkeypatch.setattr(progress, "told", lambda by, so_far: heard.append(tuple(so_far)))
    with Workers(crew(Telling, 1)) as workers:
        tasks = iter([2, 3])
        answers = [*workers.run(lambda: next(tasks, None), progress)]
    assert [answer[0] for answer in answers[:-1]] == [4, 9]
    assert answers[-1] == 5
    assert heard == [(n, n * 100, f"step {n - 1}") for n in (1, 2, 3)] * 2


def test_more_are_at_work_while_they_wait(crew):
    """And no more than there were, when what they do keeps the processors busy."""
    with Workers(crew(Slow, 2), at_most=5) as workers:
        todo, found = iter([1] * 300), []
        for answer in workers.run(lambda: next(todo, None), QUIET):
            found.append(answer)
            workers.said_to_wait(50 <= len(found) < 200)
        *done, one, two, three, four, five = found
    assert len(done) == 300 == one + two + three + four + five
    at_work = [len({pid for _, pid, _ in done[a:b]}) for a, b in [(0, 50), (60, 200), (220, 300)]]
    assert at_work == [2, 5, 2]


def test_every_task_is_answered_and_every_worker_drained(crew):
    with Workers(crew(partial(Squares, 100), 3)) as workers:
        *done, one, two, three = answers(workers, list(range(10)))
    assert sorted(square for square, *_ in done) == [n * n for n in range(10)]
    assert one + two + three == 300 + sum(range(10))


def test_one_crew_after_the_other(crew):
    for turn in range(3):
        with Workers(crew(partial(Squares, turn), 2)) as workers:
            (square, first, _), *_ = answers(workers, [3])
        assert square == 9
        assert_ending([first])


def test_a_crash_has_a_name(crew):
    with pytest.raises(WorkerDied) as death, Workers(crew(Squares, 2)) as workers:
        answers(workers, ["SIGSEGV"])
    assert death.value.at_work_on == [7, 8]
    assert "exit code -11" in death.value.what


def test_who_is_killed_was_not_at_fault(crew):
    with pytest.raises(WorkerDied) as death, Workers(crew(Squares, 2)) as workers:
        answers(workers, ["SIGKILL"])
    assert death.value.at_work_on == []
    assert "exit code -9" in death.value.what


def test_an_error_of_a_worker_is_raised_here(crew):
    with pytest.raises(RuntimeError, match="thirteen"), Workers(crew(Squares, 2)) as workers:
        answers(workers, [13])


def test_an_error_here_ends_them_at_once(crew):
    pids = []
    with pytest.raises(ZeroDivisionError), Workers(crew(Squares, 2)) as workers:
        for _, pid, _ in workers.run(iter([1, 2, None, None]).__next__, QUIET):
            pids.append(pid)
            raise ZeroDivisionError
    assert_ending(pids)


def test_workers_are_forked_while_threads_run():
    """Only a nursery can: what it forks has one thread, whatever this process is doing."""
    over = threading.Event()
    with nursery() as home:
        thread = threading.Thread(target=over.wait)
        thread.start()
        with Workers(home.crew(Squares, 2)) as workers:
            assert answers(workers, [5])[0][0] == 25
        over.set()
        thread.join()


def test_what_goes_wrong_meanwhile_is_told():
    """What this process does itself ends before the block does, and its error is not lost."""
    done, threads = [], threading.enumerate()
    with meanwhile(lambda: done.append(time.sleep(0.05))):
        assert not done
    assert done and not {*threading.enumerate()} - {*threads}
    with pytest.raises(ModuleNotFoundError, match="nowhere"), loading(["migrate.nowhere"]):
        pass
    with pytest.raises(KeyError), meanwhile(lambda: None):
        raise KeyError


def test_a_nursery_that_was_killed():
    with nursery() as home:
        assert home.process.pid
        os.kill(home.process.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="exit code -9"):
            home.crew(Squares, 2)


def test_a_nursery_that_is_killed_while_its_workers_work():
    with nursery() as home:
        with Workers(home.crew(Squares, 2)) as workers:
            os.kill(home.process.pid, signal.SIGKILL)
            (square, *_), *_ = answers(workers, [6])
            assert square == 36
        with pytest.raises(WorkerDied):
            home.crew(Squares, 2)


def test_a_module_that_cannot_be_loaded(capfd):
    home = Nursery(["migrate.no_such_module"])
    with pytest.raises(WorkerDied, match="exit code 1"):
        home.crew(Squares, 2)
    home.close()
    assert "No module named 'migrate.no_such_module'" in capfd.readouterr().err


def test_no_more_processes(monkeypatch):
    """As where a user may have no more: told as it is, and the nursery is there for a next try.
    Who has workers already goes on with those."""
    whole, calls = Processes.add, []

    def refusing(self, count):
        calls.append(count)
        if count == 3 or calls == [0, 2]:  # the first, and when they are to be more
            whole(self, count - 1)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        whole(self, count)

    monkeypatch.setattr(Processes, "add", refusing)
    with nursery() as home:
        with pytest.raises(BlockingIOError, match="temporarily unavailable"):
            home.crew(Squares, 2)
        with Workers(home.crew(Squares, 2), at_most=5) as workers:
            todo, found = iter(range(14, 40)), []
            for answer in workers.run(lambda: next(todo, None), QUIET):
                found.append(answer)
                workers.said_to_wait(True)
            assert {square for square, *_ in found[:-2]} == {n * n for n in range(14, 40)}
            assert len(found) == 28 and workers.at_once == 2


def test_a_nursery_that_nobody_asked_is_gone_at_once(tmp_path, monkeypatch):
    """Whoever mistyped a path does not wait until it has loaded what nobody needs."""
    (tmp_path / "slow_to_load.py").write_text("import time\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(tmp_path)
    began = time.monotonic()
    with nursery("slow_to_load") as home:
        assert alive(home.process.pid)
    assert home.process.exitcode == -signal.SIGKILL
    assert time.monotonic() - began < 30


def test_workers_in_the_middle_of_something_end_with_who_gave_up():
    with nursery() as home:
        crew = home.crew(Squares, 2)
        crew.pipes[0].send("SIGSTOP")  # a task that never ends
        crew.pipes[1].send(2)
        _, pid, above = crew.pipes[1].recv()
        assert above == home.process.pid
        others = Path(f"/proc/{above}/task/{above}/children").read_text().split()
        assert str(pid) in others
    assert not any(alive(int(other)) for other in others)


def test_a_nursery_that_was_dismissed_has_ended_its_workers():
    """It is not waited for before it is closed."""
    with nursery() as home:
        with Workers(home.crew(Squares, 2)) as workers:
            _, pid, above = answers(workers, [3])[0]
        home.dismiss()
        assert_ending([pid])
    assert home.process.exitcode == 0
    assert above == home.process.pid


def test_none_outlives_a_parent_that_is_killed(tmp_path):
    script = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_workers import QUIET, Squares, Workers, nursery
with nursery() as home, Workers(home.crew(Squares, 2)) as workers:
    tasks = iter([1, 2])
    for count, (_, pid, above) in enumerate(workers.run(lambda: next(tasks, None), QUIET)):
        print(pid, above, flush=True)
        if count == 1:
            time.sleep(60)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    pids = {int(word) for _ in range(2) for word in process.stdout.readline().split()}
    assert len(pids) == 3
    assert all(map(alive, pids))
    process.kill()
    process.communicate()
    assert_ending(pids)


def assert_ending(pids):
    """They are gone, or will be in a moment."""
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    """Whether a process is there and no mere corpse."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
