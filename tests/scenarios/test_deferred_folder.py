"""The deferred log in a folder of its own, which may be on a disk that is not there."""

from harness.session import Session
from harness.waiting import wait_for

CONTENT = b"Subject: kept\r\n\r\nsome text\r\n"


def test_the_folder_of_the_deferred_log_is_missed_when_it_is_not_there(make_instance):
    instance = make_instance(smtp={"hold": True}, spool={"deferred_directory": "deferred"})
    deferred, elsewhere = instance.state / "deferred", instance.state / "elsewhere"
    instance.start()
    wait_for(lambda: any(deferred.glob("segment-*")), 30, "segments in the folder of the deferred log")
    with Session(instance.port) as session:
        code, text = session.deliver("ann@client.example.net", ["alice@example.org"], CONTENT)
    assert code == 250, text
    wait_for(lambda: spares(instance) >= 6, 30, "the spare segments of both folders")
    instance.stop()

    deferred.rename(elsewhere)
    instance.launch()
    wait_for(lambda: "is missing" in instance.report(), 20, lambda: f"what is missing\n{instance.report()}")
    assert "spool.deferred_directory" in instance.report()
    instance.kill_all()

    deferred.rmdir()
    elsewhere.rename(deferred)
    instance.start()
    assert len(instance.queue()) == 1


def spares(instance):
    """Segments that are ready; three are wanted in each of the folders."""
    processes = instance.status()["processes"]
    return next(process["counters"]["spares"] for process in processes if process["program"] == "spool")
