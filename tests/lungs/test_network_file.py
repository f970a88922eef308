from ctseg.export.onnx_card import card_of
from ctseg.lungs.network import MULTIPLE, SPACING_MM
from ctseg.lungs.network_file import LUNG_NETWORK


def test_the_shipped_network_is_small_and_describes_itself():
    assert LUNG_NETWORK.stat().st_size < 2_000_000
    card = card_of(LUNG_NETWORK)
    assert card.labels == ("right_lung", "left_lung")
    assert card.preparation.spacing_xyz_mm == (SPACING_MM,) * 3
    assert card.multiple_zyx == (MULTIPLE,) * 3
