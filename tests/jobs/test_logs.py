"""Messages of a job: all go to its log; warnings also to the terminal, with the name of the job."""

import logging

from ctseg.jobs.logs import handlers


def test_the_log_has_all_and_the_terminal_warnings_alone(tmp_path, capsys):
    file, terminal = handlers(str(tmp_path / "job.log"), "infer 100%")
    for level, message in ((logging.INFO, "step 3"), (logging.WARNING, "Lücken: 3 %"), (logging.ERROR, "is cut")):
        record = logging.LogRecord("ctseg", level, "", 0, message, (), None)
        for handler in (file, terminal):
            handler.handle(record)
    file.close()
    assert capsys.readouterr().err == "ctseg: infer 100%: Lücken: 3 %\n"
    lines = (tmp_path / "job.log").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["INFO step 3", "WARNING Lücken: 3 %", "ERROR is cut"]


def test_the_log_of_an_earlier_run_is_replaced(tmp_path):
    (tmp_path / "job.log").write_text("earlier")
    file, _ = handlers(str(tmp_path / "job.log"), "infer")
    file.close()
    assert (tmp_path / "job.log").read_text() == ""
