"""Progress messages of a command on stderr."""

from ctseg.command.progress import Progress


def test_steps_and_what_a_user_should_know_are_lines(capsys):
    with Progress() as progress:
        progress.step("reading a scan")
        progress.rows(1, 4)
        progress.rows(4, 4)
        progress.tell(["the scan shows a head"])
    shown = capsys.readouterr()
    assert shown.err == "ctseg: reading a scan …\nctseg: the scan shows a head\n"
    assert not shown.out


def test_a_quiet_one_says_what_a_user_should_know_alone(capsys):
    with Progress(quiet=True) as progress:
        progress.step("reading a scan")
        progress.rows(1, 4)
        progress.tell(["the scan shows a head"])
    assert capsys.readouterr().err == "ctseg: the scan shows a head\n"
