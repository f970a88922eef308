"""Quality flags, for programs and for users."""

import json

from ctseg.scans.flag import Flag


def test_a_flag_is_its_sentence_for_people_and_plain_values_for_programs():
    flag = Flag("lungs_cut", {"share": 0.2}, "the scan cuts the lungs")
    assert str(flag) == f"{flag}" == "the scan cuts the lungs"
    assert json.loads(json.dumps(flag.as_dict())) == {
        "kind": "lungs_cut",
        "values": {"share": 0.2},
        "text": "the scan cuts the lungs",
    }
