from dataclasses import fields, replace

from ctseg.report.claim import ABSENT, ANSWERED, OPEN, PARTLY, StudyFacts, checklist

NOTHING = StudyFacts(**{field.name: False for field in fields(StudyFacts)})
FULL = replace(NOTHING, trained=True, measured=True, held_out=True, stability=True, strata=True, archive=True)


def states(facts):
    return checklist(facts).set_index("item")["state"]


def test_every_item_has_a_state_and_says_where():
    for facts in (NOTHING, FULL, replace(FULL, phantoms=True, ensemble=True, pretrained=True, licensed=True)):
        table = checklist(facts)
        assert table["item"].tolist() == list(range(1, 45))
        assert set(table["state"]) <= {ANSWERED, PARTLY, OPEN, ABSENT}
        assert (table["where"].str.len() > 4).all()
        assert (table["asks"].str.len() > 4).all()


def test_what_only_people_know_stays_open():
    open_items = states(FULL)[lambda state: state == OPEN].index
    assert {1, 2, 3, 4, 5, 6, 16, 17, 18, 21, 33, 34, 36, 41, 44} <= set(open_items)


def test_the_study_decides_on_the_rest():
    full, bare = states(FULL), states(NOTHING)
    assert (full[32], bare[32]) == (ANSWERED, OPEN)
    assert states(replace(FULL, held_out=False))[32] == OPEN
    assert states(replace(FULL, trained=False))[19] == ABSENT
    assert states(replace(FULL, trained=False))[25] == OPEN
    assert (full[27], states(replace(FULL, ensemble=True))[27]) == (ABSENT, ANSWERED)
    assert (full[24], states(replace(FULL, pretrained=True))[24]) == (ANSWERED, PARTLY)
    assert (full[7], states(replace(FULL, archive=False))[7]) == (ANSWERED, OPEN)
    assert states(replace(FULL, phantoms=True))[36] == ABSENT
    assert states(replace(FULL, stability=False))[30] == OPEN
    assert states(replace(FULL, strata=False))[37] == PARTLY
    assert "licence" in checklist(FULL).set_index("item").loc[43, "where"]
